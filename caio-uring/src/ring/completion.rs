//! What comes out of a ring: completions are taken, and signalled.

use super::{Ring, SILENT};
use caio_core::Key;
use caio_core::support::lock;
use std::sync::TryLockError;
use std::sync::atomic::{Ordering, fence};

/// A completion: whose it is, and the system call's result or negative error number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cqe {
    /// The request's `user_data`.
    user_data: u64,
    /// The result.
    pub(crate) result: i32,
}

impl Cqe {
    /// The operation that has ended; `None` if it was a cancel.
    pub(crate) fn key(&self) -> Option<Key> {
        (self.user_data != SILENT).then_some(Key::from_u64(self.user_data))
    }
}

/// What to do where somebody else is taking completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contended {
    /// Wait: it takes a moment.
    Wait,
    /// Leave them to them.
    Leave,
}

impl Ring {
    /// Takes completions, as many as there are and `into` has room for. Says how many.
    pub(crate) fn reap(&self, into: &mut [Cqe], contended: Contended) -> usize {
        let guard = match (contended, self.completion.try_lock()) {
            (_, Ok(guard)) => guard,
            (Contended::Wait, Err(TryLockError::WouldBlock)) => lock(&self.completion),
            (Contended::Leave, Err(TryLockError::WouldBlock)) => return 0,
            (_, Err(TryLockError::Poisoned(poisoned))) => poisoned.into_inner(),
        };
        // SAFETY: this is under the completion lock, and every use of this queue is.
        let mut queue = unsafe { self.uring.completion_shared() };
        let mut count = 0;
        let mut silent = 0;
        for (place, entry) in into.iter_mut().zip(&mut queue) {
            *place = Cqe { user_data: entry.user_data(), result: entry.result() };
            silent += usize::from(place.user_data == SILENT);
            count += 1;
        }
        drop(queue);
        drop(guard);
        if count != 0 {
            self.reaped.fetch_add(count, Ordering::Relaxed);
            self.operations.fetch_sub(count - silent, Ordering::AcqRel);
        }
        if silent != 0 {
            self.silent.fetch_sub(silent, Ordering::Relaxed);
        }
        count
    }

    /// How many completions are there.
    pub(crate) fn ready(&self) -> usize {
        let guard = lock(&self.completion);
        // SAFETY: as in `reap`.
        let ready = unsafe { self.uring.completion_shared() }.len();
        drop(guard);
        ready
    }

    /// Whether the kernel signals completions.
    pub(crate) fn is_eventfd_enabled(&self) -> bool {
        self.eventfd_enabled.load(Ordering::Relaxed)
    }

    /// Has the kernel signal completions from now on. Says whether it did not before: then
    /// completions may be there already that were not signalled, and must be looked for.
    ///
    /// The caller's operation is in flight. `disable_eventfd_if` takes `eventfd_enabled` back
    /// before it asks whether anything is in flight, so either it sees the caller's operation, or
    /// the caller sees it taken back.
    pub(crate) fn enable_eventfd(&self) -> bool {
        if self.eventfd_enabled.load(Ordering::SeqCst) {
            return false;
        }
        let guard = lock(&self.completion);
        // SAFETY: as in `reap`.
        unsafe { self.uring.completion_shared() }.enable_eventfd();
        self.eventfd_enabled.store(true, Ordering::SeqCst);
        drop(guard);
        // The kernel publishes a completion, then reads the flag; we clear the flag, then look for
        // completions. With a full barrier on both sides, at least one of us sees what the other
        // did.
        fence(Ordering::SeqCst);
        true
    }

    /// Has the kernel signal no completions, if nothing is in flight.
    pub(crate) fn disable_eventfd_if(&self, idle: impl FnOnce() -> bool) {
        if !self.can_disable_eventfd || !self.is_eventfd_enabled() {
            return;
        }
        let guard = lock(&self.completion);
        self.eventfd_enabled.store(false, Ordering::SeqCst);
        if idle() {
            // SAFETY: as in `reap`.
            unsafe { self.uring.completion_shared() }.disable_eventfd();
        } else {
            self.eventfd_enabled.store(true, Ordering::SeqCst);
        }
        drop(guard);
    }
}
