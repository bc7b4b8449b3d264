//! How a backend tells what became of its operations.

use crate::backend::Backend;
use crate::key::Key;
use crate::request::{Finished, Request};
use crate::shared::Shared;
use std::io;
use std::sync::{Arc, Weak};

/// How an operation ended.
#[derive(Debug)]
pub enum Completion {
    /// It was carried out, or failed: the bytes transferred (0 of a sync), or the error.
    Done(io::Result<usize>),
    /// It was cancelled, as its caller had asked; nothing was transferred.
    Cancelled,
}

/// A backend's way back to the table: it delivers completions.
#[derive(Clone, Debug)]
pub struct Completer(pub(crate) Arc<Shared>);

impl Completer {
    /// Delivers a request that has ended: its future is woken, and an operation that waited for room is submitted, and flushed.
    /// Call it without holding a lock.
    pub fn deliver(&self, finished: Finished) {
        // A pool that a backend has borrowed calls this, and cannot flush the backend itself.
        if self.0.complete(finished.key, finished.completion) {
            self.0.flush();
        }
    }

    /// Delivers what a kernel carried by its key, as [`deliver`](Self::deliver), but for the flush, which the caller does after one
    /// or more of them. A stale key is ignored.
    ///
    /// # Safety
    /// The kernel has let go of the operation's memory. If the completion is `Done(Ok(n))` of a read, `n` bytes of its
    /// memory are initialised.
    pub unsafe fn complete(&self, key: Key, completion: Completion) {
        self.0.complete(key, completion);
    }

    /// Whether somebody asked for the operation to be cancelled, or its time is up: only then is an `ECANCELED` its result.
    #[must_use]
    pub fn is_cancel_asked(&self, key: Key) -> bool {
        self.0.table.is_cancel_asked(key)
    }

    /// The operation once more, to be submitted again: after `EAGAIN`, `EINTR` or an `ECANCELED` that nobody asked for.
    /// `None` if the key is stale.
    ///
    /// # Safety
    /// No other request of this key is alive, and the kernel has let go of the operation's memory.
    #[must_use]
    pub unsafe fn again(&self, key: Key) -> Option<Request> {
        self.0.table.again(key)
    }

    /// Counts an operation that the backend handed to another route than its own.
    pub fn count_fallback(&self) {
        self.0.stats.fallback();
    }

    /// How many operations the backend has out.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.table.running()
    }

    /// The keys of all operations that the backend has out, to cancel them at its shutdown.
    #[must_use]
    pub fn running_keys(&self) -> Vec<Key> {
        self.0.table.running_keys()
    }

    /// Says which backend takes the operations that had to wait.
    pub(crate) fn attach(&self, backend: &Arc<dyn Backend>, max_requests: usize) {
        let weak: Weak<dyn Backend> = Arc::downgrade(backend);
        self.0.attach(weak, max_requests);
    }
}
