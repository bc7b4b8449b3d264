//! The backend with each choice of routes.

use caio_conformance::Subject;
use caio_uring::{Route, Routes, Uring};

/// All of them; none where the kernel refuses the backend.
pub(crate) fn all() -> Vec<Subject> {
    if let Err(refusal) = Uring::builder().build() {
        println!("SKIP: {refusal}");
        return Vec::new();
    }
    vec![
        subject("uring", Routes::default()),
        subject("ring", Routes::all(Route::Ring)),
        subject("pool", Routes::all(Route::Pool)),
    ]
}

/// The backend with a choice of routes.
fn subject(name: &'static str, routes: Routes) -> Subject {
    Subject::new(name, move |settings| {
        let builder = Uring::builder().settings(settings).routes(routes);
        if settings.driven {
            return builder.build_with_driver().map(|(ctx, driver)| (ctx, Some(driver)));
        }
        Ok((builder.build()?, None))
    })
}
