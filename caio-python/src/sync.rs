//! Locks, and what is left of them after a fork.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many forks lie between this process and the first that imported the module.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Locks. What a panic left is whole: nobody's code runs under a lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process that something was made in. In a child, its locks may have been held at the fork.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth(u32);

impl Birth {
    /// This process.
    pub(crate) fn here() -> Self {
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// Whether this is another process by now.
    pub(crate) fn is_left(self) -> bool {
        FORKS.load(Ordering::Relaxed) != self.0
    }
}

/// This is a child process: called once in it.
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
