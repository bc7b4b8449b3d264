//! A descriptor that polls readable once it was rung: what an event loop watches.

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, write};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// An event descriptor, see `eventfd(2)`.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    /// Makes one that was not rung.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Makes it readable.
    pub(crate) fn ring(&self) {
        // It fails only where the counter is full: then it is readable.
        let _full = write(&self.0, &1u64.to_ne_bytes());
    }

    /// Makes it unreadable. How often it was rung since.
    pub(crate) fn reset(&self) -> u64 {
        let mut count = [0; 8];
        match read(&self.0, &mut count) {
            Ok(8) => u64::from_ne_bytes(count),
            Ok(_) | Err(Errno::AGAIN) | Err(_) => 0,
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
