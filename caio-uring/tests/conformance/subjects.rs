//! The backend with each choice of routes, and with each option of its rings.

use caio_conformance::Subject;
use caio_uring::{Builder, Route, Routes, Uring};
use std::time::Duration;

/// How a context is made, and its name.
type Choice = (&'static str, fn(Builder) -> Builder);

/// All ways in which a context can be made.
const CHOICES: [Choice; 7] = [
    ("uring", |builder| builder),
    ("uring-ring", |builder| builder.routes(Routes::all(Route::Ring))),
    ("uring-pool", |builder| builder.routes(Routes::all(Route::Pool))),
    ("uring-shards", |builder| builder.shards(3)),
    ("uring-shards-ring", |builder| builder.shards(3).routes(Routes::all(Route::Ring))),
    ("uring-sqpoll", |builder| builder.sqpoll(Duration::from_millis(1)).routes(Routes::all(Route::Ring))),
    ("uring-iopoll", |builder| builder.iopoll(true).routes(Routes::all(Route::Ring))),
];

/// Those that the kernel does not refuse.
pub(crate) fn all() -> Vec<Subject> {
    let possible = CHOICES.into_iter().filter(|(name, choose)| match choose(Uring::builder()).build() {
        Ok(_) => true,
        Err(refusal) => {
            println!("SKIP: {name}: {refusal}");
            false
        }
    });
    possible.map(subject).chain(driven()).collect()
}

/// The backend with an event loop.
fn driven() -> Option<Subject> {
    Uring::builder().build().ok().map(|_| subject(CHOICES[0]).driven("uring-driven"))
}

/// The backend made in one way.
fn subject((name, choose): Choice) -> Subject {
    Subject::new(name, move |settings| {
        let builder = choose(Uring::builder()).settings(settings);
        if settings.driven {
            return builder.build_with_driver().map(|(ctx, driver)| (ctx, Some(driver)));
        }
        Ok((builder.build()?, None))
    })
}
