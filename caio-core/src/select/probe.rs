//! Which backends can be used here.

use super::builder::candidate;
use super::refusal::Refusal;
use crate::backend::{BackendKind, Settings};
use crate::context::Context;
use std::fmt;

/// Whether a backend can be used here; made by [`probe`].
///
/// ```
/// use caio_core::Probe;
/// let usable: Vec<Probe> = caio_core::probe().into_iter().filter(Probe::is_usable).collect();
/// println!("{} backends can be used here", usable.len());
/// ```
#[derive(Clone, Debug)]
pub struct Probe {
    /// Which one.
    backend: BackendKind,
    /// Why not.
    refusal: Option<Refusal>,
}

impl Probe {
    /// Which backend.
    ///
    /// ```
    /// use caio_core::BackendKind;
    /// let kinds: Vec<BackendKind> = caio_core::probe().iter().map(|probe| probe.backend()).collect();
    /// println!("linked in: {kinds:?}");
    /// ```
    #[must_use]
    pub fn backend(&self) -> BackendKind {
        self.backend
    }

    /// Whether it can be used.
    ///
    /// ```
    /// use caio_core::BackendKind;
    /// let uring = caio_core::probe().into_iter().find(|probe| probe.backend() == BackendKind::Uring);
    /// let has_uring = uring.is_some_and(|probe| probe.is_usable());
    /// ```
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.refusal.is_none()
    }

    /// Why it cannot be used, and what to do about it.
    ///
    /// ```
    /// for refusal in caio_core::probe().iter().filter_map(|probe| probe.refusal()) {
    ///     println!("to use {}: {}", refusal.backend(), refusal.remedy());
    /// }
    /// ```
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            None => write!(f, "{} can be used", self.backend),
            Some(refusal) => refusal.fmt(f),
        }
    }
}

/// Tries every backend that is linked in, by opening it for a moment.
///
/// ```
/// for probe in caio_core::probe() {
///     println!("{probe}");
/// }
/// ```
#[must_use]
pub fn probe() -> Vec<Probe> {
    let linked = BackendKind::ALL.iter().filter_map(|kind| candidate(*kind));
    let try_one = |candidate: &crate::backend::Candidate| {
        let settings = Settings { max_requests: 1, ..Settings::default() };
        let refusal = Context::open(&settings, candidate.kind, candidate.open).err();
        Probe { backend: candidate.kind, refusal }
    };
    linked.map(try_one).collect()
}
