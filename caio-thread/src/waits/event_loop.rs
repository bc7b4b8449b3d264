//! The thread that serves what waits when its file is ready.

use super::Poller;
use crate::shared::Shared;
use caio_core::support::lock;
use std::sync::Arc;
use std::time::Duration;

/// The event loop of a pool. It ends when nothing has waited for a while.
pub(super) struct EventLoop {
    /// Whose operations wait.
    pool: Arc<Shared>,
    /// Tells which files are ready.
    poller: Arc<dyn Poller>,
}

impl EventLoop {
    /// Has not begun.
    pub(super) fn new(pool: Arc<Shared>, poller: Arc<dyn Poller>) -> Self {
        Self { pool, poller }
    }

    /// Runs it.
    pub(super) fn run(self) {
        let waits = &self.pool.waits;
        let mut events = Vec::new();
        while let Some(timeout) = self.timeout() {
            self.poller.wait(&mut events, timeout);
            if events.is_empty() && self.is_done() {
                return;
            }
            events.drain(..).for_each(|event| waits.on_event(&self.pool, event));
        }
    }

    /// How long to wait: not for ever where no file is waited for. `None` if the pool was shut
    /// down.
    fn timeout(&self) -> Option<Option<Duration>> {
        let lines = lock(&self.pool.waits.lines);
        let lingers = lines.files.is_empty().then_some(self.pool.settings.linger);
        (!lines.stopped).then_some(lingers)
    }

    /// Whether no file is waited for. Then the next one starts another event loop.
    fn is_done(&self) -> bool {
        let mut lines = lock(&self.pool.waits.lines);
        let done = lines.files.is_empty();
        if done {
            lines.poller = None;
        }
        done
    }
}
