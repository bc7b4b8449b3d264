//! Completions for an external event loop.

use crate::engine::Engine;
use caio_core::Drive;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Takes completions of the kernel and of the pool.
#[derive(Debug)]
pub(crate) struct AioDriver {
    /// Where they come from.
    engine: Arc<Engine>,
}

impl AioDriver {
    /// A driver of this engine.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl Drive for AioDriver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.engine.ring.completed().as_fd()
    }

    fn take(&self, max: usize) -> io::Result<usize> {
        self.engine.ring.completed().drain()?;
        let taken = self.engine.reap_up_to(max);
        let delivered = taken + self.engine.deliver_mailbox(max - taken);
        if delivered == max && self.engine.completer.in_flight() != 0 {
            self.notify(); // more may be left
        }
        self.engine.tell_if_closing();
        Ok(delivered)
    }

    fn notify(&self) {
        drop(self.engine.ring.completed().signal());
    }
}
