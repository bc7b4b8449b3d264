//! The pool as a backend of its own.

use crate::pool::Pool;
use caio_core::{Attempt, Attempted, Backend, Finished, Key, Request, Submitted};

/// Carries every operation out in its caller's thread or in a worker.
#[derive(Debug)]
pub(crate) struct ThreadBackend {
    /// The workers.
    pub(crate) pool: Pool,
    /// How an operation is finished in its caller's thread.
    pub(crate) attempt: fn(Attempt<'_>) -> Attempted,
}

// SAFETY: the pool delivers each request once, through the completer of its context, and refuses
// those that come after its shutdown; an attempt is answered before the call returns.
unsafe impl Backend for ThreadBackend {
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        (self.attempt)(attempt)
    }

    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        self.pool.submit(request).map(|()| Submitted::Alone)
    }

    fn arm(&self) {
        self.pool.arm();
    }

    fn cancel(&self, key: Key) {
        self.pool.cancel(key);
    }

    fn shutdown(&self) {
        self.pool.shutdown();
    }
}
