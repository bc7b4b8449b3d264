//! A descriptor that polls readable once rung.

use caio_sys::eventfd::EventFd;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// An `eventfd(2)`, Linux 2.6.27.
#[derive(Debug)]
pub(crate) struct Bell(EventFd);

impl Bell {
    /// Not rung. Fails where there is no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        EventFd::new().map(Self)
    }

    /// Polls readable from now on.
    pub(crate) fn ring(&self) {
        let rung = self.0.signal();
        debug_assert!(rung.is_ok(), "a valid eventfd can be signalled");
    }

    /// Does not poll readable any more.
    pub(crate) fn reset(&self) {
        let drained = self.0.drain();
        debug_assert!(drained.is_ok(), "a valid eventfd can be drained");
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
