//! The backend with each choice of routes.

use caio_aio::{Aio, Routes};
use caio_conformance::Subject;

/// All of them; none where the kernel refuses the backend.
pub(crate) fn all() -> Vec<Subject> {
    if let Err(refusal) = Aio::builder().build() {
        println!("SKIP: {refusal}");
        return Vec::new();
    }
    vec![
        subject("aio", Routes::Auto),
        subject("aio-kernel", Routes::Kernel).synchronous(),
        subject("aio-pool", Routes::Pool),
        subject("aio-driven", Routes::Kernel),
    ]
}

/// The backend with a choice of routes.
fn subject(name: &'static str, routes: Routes) -> Subject {
    Subject::new(name, move |settings| {
        let mut builder = Aio::builder().max_requests(settings.max_requests).routes(routes);
        if let Some(threads) = settings.pool_size {
            builder = builder.pool_size(threads);
        }
        if settings.driven {
            return builder.build_with_driver().map(|(ctx, driver)| (ctx, Some(driver)));
        }
        Ok((builder.build()?, None))
    })
}
