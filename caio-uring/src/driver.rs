//! Taking completions in somebody else's event loop.

use crate::backend::Engine;
use caio_core::{Backend, Drive};
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a driver waits before it looks again at what gives no signal: a device that is polled, a flush that was put off.
const GLANCE: Duration = Duration::from_millis(1);

/// Takes the completions of one context. The kernel and the pool signal one eventfd; where something is left behind it is
/// signalled again, so that it stays readable.
pub(crate) struct UringDriver {
    /// What carries the operations out.
    engine: Arc<Engine>,
}

impl UringDriver {
    /// A driver of it.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Delivers up to `max` operations that are there, and says how many.
    fn take(&self, max: usize) -> io::Result<usize> {
        let engine = &self.engine;
        engine.event.drain()?;
        let mut delivered = engine.harvest_up_to(max);
        if let Some(mailbox) = &engine.mailbox {
            delivered += mailbox.deliver(max - delivered, &engine.completer);
        }
        engine.flush();
        if delivered == max {
            engine.nudge();
        }
        Ok(delivered)
    }

    /// Whether to look again without a signal.
    fn must_glance(&self) -> bool {
        let stuck = self.engine.stuck.swap(false, Ordering::SeqCst);
        if stuck {
            self.engine.flush();
        }
        stuck || self.engine.is_polled()
    }
}

impl Drive for UringDriver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.engine.event.as_fd()
    }

    fn reap(&mut self, max: usize, min: usize, timeout: Option<Duration>) -> io::Result<usize> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let min = min.min(max);
        let mut delivered = 0;
        loop {
            delivered += self.take(max - delivered)?;
            let glance = self.must_glance();
            if delivered >= min || self.engine.completer.in_flight() == 0 {
                if glance && self.engine.completer.in_flight() != 0 {
                    self.engine.nudge();
                }
                return Ok(delivered);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(delivered);
            }
            let wait = if glance { Some(left.map_or(GLANCE, |left| left.min(GLANCE))) } else { left };
            poll(&mut [PollFd::new(self.engine.event.as_fd(), PollEvents::IN)], wait)?;
        }
    }
}
