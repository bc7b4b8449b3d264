//! The behaviours that every backend shows, through the facade and the backend that it chooses. Each backend's crate runs them too.

use backends::{Backend, backends};
use caio_conformance::{Subject, run, test_dir};
use std::process::ExitCode;

#[path = "it/backends.rs"]
mod backends;

fn main() -> ExitCode {
    let forced = std::env::var_os("CAIO_TEST_BACKEND").is_some();
    let chosen = backends().into_iter().filter(|backend| forced || *backend == Backend::Auto);
    run(&test_dir!(), chosen.map(subject).collect())
}

/// The suite's view of a backend.
fn subject(backend: Backend) -> Subject {
    Subject::new(backend.name(), move |settings| {
        let mut builder = backend.builder().max_requests(settings.max_requests);
        if let Some(threads) = settings.pool_size {
            builder = builder.pool_size(threads);
        }
        let (ctx, driver) = if settings.driven {
            let (ctx, driver) = builder.build_with_driver()?;
            (ctx, Some(driver))
        } else {
            (builder.build()?, None)
        };
        if let Backend::Forced(kind) = backend {
            assert_eq!(ctx.backend(), kind, "a forced backend never falls back");
        }
        Ok((ctx, driver))
    })
}
