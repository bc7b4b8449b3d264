//! The locks and atomics of the in-flight table: those of `std`, or of `loom` when its model is
//! checked.

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

use std::sync::PoisonError;

/// Takes a lock that nothing can poison: no user code runs under any lock of this crate.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
