//! Somebody else's event loop takes the completions.

use crate::engine::Engine;
use caio_core::Drive;
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Takes completions of the kernel and of the pool.
#[derive(Debug)]
pub(crate) struct AioDrive {
    /// Where they come from.
    engine: Arc<Engine>,
}

impl AioDrive {
    /// A driver of this engine.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Delivers up to `max` completions that are there; afterwards the descriptor is readable if more may be.
    fn deliver(&self, max: usize) -> io::Result<usize> {
        let completed = self.engine.ring().completed();
        // Reset first: what comes after it is signalled anew.
        completed.drain()?;
        let taken = self.engine.reap(max);
        let delivered = taken + self.engine.collect(max - taken);
        if delivered == max && self.engine.completer().in_flight() != 0 {
            completed.signal()?;
        }
        self.engine.tell_if_closing();
        Ok(delivered)
    }
}

impl Drive for AioDrive {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.engine.ring().completed().as_fd()
    }

    fn reap(&mut self, max: usize, min: usize, timeout: Option<Duration>) -> io::Result<usize> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let min = min.min(max);
        let mut delivered = 0;
        loop {
            delivered += self.deliver(max - delivered)?;
            // Once the context has gone nobody awaits what still runs, and it is delivered without us.
            if delivered >= min || self.engine.completer().in_flight() == 0 || self.engine.is_closing() {
                return Ok(delivered);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let completed = PollFd::new(self.as_fd(), PollEvents::IN);
            if poll(&mut [completed], left)? == 0 {
                return Ok(delivered);
            }
        }
    }
}
