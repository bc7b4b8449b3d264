//! The pool as a backend of its own.

use crate::pool::Pool;
use caio_core::{Attempt, Attempted, Backend, BackendKind, Finished, Key, Request};

/// Carries every operation out in its caller's thread or in a worker.
#[derive(Debug)]
pub(crate) struct ThreadBackend {
    /// The workers.
    pub(crate) pool: Pool,
    /// How an operation is finished in its caller's thread.
    pub(crate) attempt: fn(Attempt<'_>) -> Attempted,
}

impl Backend for ThreadBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Thread
    }

    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        (self.attempt)(attempt)
    }

    fn submit(&self, request: Request) -> Result<(), Finished> {
        self.pool.submit(request)
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
