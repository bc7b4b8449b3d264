//! Completions for an external event loop.

use crate::engine::Engine;
use caio_core::Drive;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a driver waits before it looks again at what gives no signal: a device that is polled,
/// a flush that was put off.
const PAUSE: Duration = Duration::from_millis(1);

/// Takes the completions of one context. The kernel and the pool signal one eventfd; where
/// something is left behind it is signalled again, so that it stays readable.
pub(crate) struct UringDriver {
    /// What carries the operations out.
    engine: Arc<Engine>,
}

impl UringDriver {
    /// A driver of it.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl Drive for UringDriver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.engine.event.as_fd()
    }

    fn take(&self, max: usize) -> io::Result<usize> {
        let engine = &self.engine;
        engine.event.drain()?;
        let mut delivered = engine.reap_up_to(max);
        if let Some(mailbox) = &engine.mailbox {
            delivered += mailbox.deliver(max - delivered, &engine.completer);
        }
        engine.retry.store(false, Ordering::SeqCst);
        engine.flush_rings();
        if delivered == max && engine.completer.in_flight() != 0 {
            engine.nudge(); // more may be left
        }
        Ok(delivered)
    }

    fn notify(&self) {
        self.engine.nudge();
    }

    fn pause(&self) -> Option<Duration> {
        let unsignalled = self.engine.is_polled() || self.engine.retry.load(Ordering::SeqCst);
        unsignalled.then_some(PAUSE)
    }
}
