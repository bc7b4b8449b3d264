//! The thread that serves what waits when its file is ready.

use super::{LineId, Poller};
use crate::shared::Shared;
use caio_core::support::lock;
use std::collections::VecDeque;
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
        let mut lines: VecDeque<LineId> = VecDeque::new();
        while let Some(timeout) = self.timeout(lines.is_empty()) {
            self.poller.wait(&mut events, timeout);
            if events.is_empty() && lines.is_empty() && self.is_done() {
                return;
            }
            waits.note(&events, &mut lines);
            events.clear();
            for _ in 0..lines.len() {
                let unserved = lines.pop_front().filter(|line| waits.serve(&self.pool, *line));
                lines.extend(unserved);
            }
        }
    }

    /// How long to wait: not where lines are to be served, not for ever where no file is waited for. `None` if the pool was shut down.
    fn timeout(&self, is_served: bool) -> Option<Option<Duration>> {
        let state = lock(&self.pool.waits.state);
        if state.stopped {
            return None;
        }
        Some(match () {
            () if !is_served => Some(Duration::ZERO),
            () if state.files.is_empty() => Some(self.pool.settings.linger),
            () => None,
        })
    }

    /// Whether no file is waited for. Then the next one starts another event loop.
    fn is_done(&self) -> bool {
        let mut state = lock(&self.pool.waits.state);
        let done = state.files.is_empty();
        if done {
            state.poller = None;
        }
        done
    }
}
