//! The one suite of behaviours, through the facade.

use crate::subjects::{Backend, backends};
use caio_core::conformance::{Subject, run};

/// The suite's view of a backend.
fn subject(backend: Backend) -> Subject {
    Subject::new(backend.name(), move |settings| {
        let ctx = backend.builder().max_requests(settings.max_requests).build()?;
        if let Backend::Forced(kind) = backend {
            assert_eq!(ctx.backend(), kind, "a forced backend never falls back");
        }
        Ok(ctx)
    })
}

/// Whether the environment forces the portable threads.
fn is_portable_forced() -> bool {
    std::env::var_os("CAIO_IMPL").is_some_and(|name| name == "python")
}

#[test]
fn every_backend_behaves_the_same() {
    for backend in backends() {
        let subject = subject(backend);
        let portable = backend == Backend::Portable || backend == Backend::Auto && is_portable_forced();
        let subject = if portable { subject.portable() } else { subject };
        run(&subject).assert_passed();
    }
}
