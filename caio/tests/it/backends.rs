//! The backends of a run.

use caio::{BackendKind, Builder, Context};

/// A backend, forced or chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The first that works.
    Auto,
    /// Forced.
    Forced(BackendKind),
    /// The portable threads, forced.
    Portable,
}

impl Backend {
    /// How its contexts are made.
    pub(crate) fn builder(self) -> Builder {
        match self {
            Self::Auto => Context::builder(),
            Self::Forced(kind) => Context::builder().backend(kind),
            Self::Portable => Context::builder().backend(BackendKind::Thread).portable(true),
        }
    }

    /// Its name in `CAIO_TEST_BACKEND`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Forced(kind) => kind.name(),
            Self::Portable => "portable",
        }
    }
}

/// The backends of this run that can be used here; says which cannot, and why.
pub(crate) fn backends() -> Vec<Backend> {
    let wanted = std::env::var("CAIO_TEST_BACKEND").ok();
    let linked: Vec<_> = caio::probe().iter().map(caio::Probe::backend).collect();
    let mut all: Vec<_> = linked.iter().map(|kind| Backend::Forced(*kind)).collect();
    all.push(Backend::Auto);
    if linked.contains(&BackendKind::Thread) {
        all.push(Backend::Portable);
    }
    if let Some(wanted) = &wanted {
        all.retain(|backend| backend.name() == wanted);
        if all.is_empty() {
            eprintln!("SKIP: the backend {wanted} is not compiled in");
        }
    }
    all.retain(|backend| match backend.builder().build() {
        Ok(_) => true,
        Err(error) => {
            eprintln!("SKIP: {error}");
            false
        }
    });
    all
}
