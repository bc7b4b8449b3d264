//! How a backend tells what became of its operations.

use crate::Submitted;
use crate::key::Key;
use crate::request::{Finished, Request};
use crate::shared::Shared;
use crate::stats::Count;
use std::io;
use std::sync::Arc;

/// How an operation ended.
#[derive(Debug)]
pub enum Completion {
    /// It was carried out, or failed: the bytes transferred (0 of a sync), or the error.
    Done(io::Result<usize>),
    /// It was cancelled, as its caller had asked; nothing was transferred.
    Cancelled,
}

/// A backend's way back to the table: it delivers completions. A cheap clone.
#[derive(Clone, Debug)]
pub struct Completer(pub(crate) Arc<Shared>);

impl Completer {
    /// Delivers a request that has ended: its future is woken, and an operation that waited for
    /// room is submitted, and flushed. Call it without holding a lock.
    pub fn deliver(&self, finished: Finished) {
        // A pool that a backend has borrowed calls this, and cannot flush the backend itself.
        if self.0.complete(finished.key, finished.completion) {
            self.0.flush();
        }
    }

    /// Delivers what a kernel carried by its key, as [`deliver`](Self::deliver), but for the flush,
    /// which the caller does after one or more of them. A stale key is ignored.
    ///
    /// # Safety
    /// The kernel has let go of the operation's memory. If the completion is `Done(Ok(n))` of a
    /// read, `n` bytes of its memory are initialised.
    pub unsafe fn complete(&self, key: Key, completion: Completion) {
        self.0.complete(key, completion);
    }

    /// Submits an operation once more, by `submit`: after `EAGAIN`, `EINTR` or an `ECANCELED` that
    /// nobody asked for. A cancel that comes meanwhile reaches the backend afterwards. Says whether
    /// the operation has ended, or the key is stale.
    ///
    /// # Safety
    /// No other request of this key is alive, and the kernel has let go of the operation's memory.
    pub unsafe fn reissue(&self, key: Key, submit: impl FnOnce(Request) -> Result<Submitted, Finished>) -> bool {
        self.0.reissue(key, submit)
    }

    /// Whether somebody asked for the operation to be cancelled, or its time is up: only then is an
    /// `ECANCELED` its result.
    #[must_use]
    pub fn is_cancel_asked(&self, key: Key) -> bool {
        self.0.table.is_cancel_asked(key)
    }

    /// Counts an operation that the backend handed to another route than its own.
    pub fn count_fallback(&self) {
        self.0.stats.add(Count::Fallback, 1);
    }

    /// A shutdown gives up operations that the kernel has not ended in time: their memory is
    /// leaked, and that is told.
    pub fn gave_up(&self, operations: usize) {
        self.0.stats.add(Count::Leaked, operations);
        crate::trace::gave_up(operations);
    }

    /// How many operations the backend has out.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.table.running()
    }

    /// How many operations wait for room.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.table.waiting()
    }

    /// Lists the keys of all operations that the backend has out, for example to cancel them at its
    /// shutdown. What the list held before is gone, its memory is used again.
    pub fn running_keys(&self, keys: &mut Vec<Key>) {
        self.0.table.running_keys(keys);
    }
}
