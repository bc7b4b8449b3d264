//! Kernel AIO as core's backend.

use crate::engine::Engine;
use caio_core::{Attempt, Attempted, Backend, BackendKind, Finished, Key, Request};
use std::sync::Arc;

/// Kernel AIO as core's backend.
#[derive(Debug)]
pub(crate) struct AioBackend {
    /// What it shares with the reaper and the driver.
    engine: Arc<Engine>,
}

impl AioBackend {
    /// Wraps what it shares with the reaper and the driver.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl Backend for AioBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Aio
    }

    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        if self.engine.may_be_inline(attempt.op(), attempt.fd()) {
            caio_thread::attempt(attempt)
        } else {
            attempt.missed()
        }
    }

    fn submit(&self, request: Request) -> Result<(), Finished> {
        self.engine.submit(request)
    }

    fn flush(&self) {
        self.engine.flush();
        self.engine.tell_if_closing();
    }

    /// With a driver it is the driver alone that delivers: else one that waits for a completion might miss it.
    fn harvest(&self) {
        if !self.engine.is_driven() {
            self.engine.reap(usize::MAX);
            self.engine.tell_if_closing();
        }
    }

    fn arm(&self) {
        self.engine.arm();
    }

    fn cancel(&self, key: Key) {
        self.engine.cancel(key);
    }

    fn shutdown(&self) {
        self.engine.shutdown();
    }
}
