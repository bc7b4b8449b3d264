//! A descriptor that polls readable once it was rung, where there is no `eventfd(2)`: a pipe.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd, read, write};
use rustix::pipe::pipe;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A pipe that neither end of blocks.
#[derive(Debug)]
pub(crate) struct Bell {
    /// The end that is watched.
    watched: OwnedFd,
    /// The end that is written to.
    rung: OwnedFd,
}

impl Bell {
    /// Makes one that was not rung.
    pub(crate) fn new() -> io::Result<Self> {
        let (watched, rung) = pipe()?;
        for end in [&watched, &rung] {
            fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
        }
        Ok(Self { watched, rung })
    }

    /// Makes it readable.
    pub(crate) fn ring(&self) {
        // It fails only where the pipe is full: then it is readable.
        let _full = write(&self.rung, &[1]);
    }

    /// Makes it unreadable. How often it was rung since.
    pub(crate) fn reset(&self) -> u64 {
        let (mut count, mut bytes) = (0, [0; 64]);
        while let Ok(read) = read(&self.watched, &mut bytes) {
            count += read as u64;
            if read < bytes.len() {
                break;
            }
        }
        count
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.watched.as_raw_fd()
    }
}
