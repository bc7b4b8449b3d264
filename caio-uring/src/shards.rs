//! The rings of a context: each thread keeps to one of them.

use crate::ring::Ring;
use caio_core::support::thread_number;
use std::sync::OnceLock;

/// The rings of a context. The first is there from the beginning, the others come when a thread
/// first needs them.
pub(crate) struct Shards {
    /// The first.
    first: Ring,
    /// The others; `None` where the system refused, then the first serves.
    others: Box<[OnceLock<Option<Ring>>]>,
}

impl Shards {
    /// Shards with their first ring.
    pub(crate) fn new(first: Ring, count: usize) -> Self {
        Self { first, others: (1..count).map(|_| OnceLock::new()).collect() }
    }

    /// The ring of the calling thread, which `make` makes if it is not there yet.
    pub(crate) fn mine(&self, make: impl FnOnce() -> Option<Ring>) -> &Ring {
        if self.others.is_empty() {
            return &self.first;
        }
        match thread_number() % (self.others.len() + 1) {
            0 => &self.first,
            other => self.others[other - 1].get_or_init(make).as_ref().unwrap_or(&self.first),
        }
    }

    /// The only ring, if there cannot be more.
    pub(crate) fn only(&self) -> Option<&Ring> {
        self.others.is_empty().then_some(&self.first)
    }

    /// The rings that are there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ring> {
        let others = self.others.iter().filter_map(|place| place.get().and_then(Option::as_ref));
        std::iter::once(&self.first).chain(others)
    }
}
