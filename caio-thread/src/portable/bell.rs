//! A descriptor that polls readable once rung.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// A pair of sockets: `socketpair(2)`.
#[derive(Debug)]
pub(crate) struct Bell {
    /// The end that is polled.
    heard: UnixStream,
    /// The end that is written to.
    rung: UnixStream,
}

impl Bell {
    /// Not rung. Fails where there are no descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        let (heard, rung) = UnixStream::pair()?;
        heard.set_nonblocking(true)?;
        rung.set_nonblocking(true)?;
        Ok(Self { heard, rung })
    }

    /// Polls readable from now on.
    pub(crate) fn ring(&self) {
        // A socket that is full polls readable as it is.
        while matches!((&self.rung).write(&[1]), Err(error) if error.kind() == io::ErrorKind::Interrupted) {}
    }

    /// Does not poll readable any more.
    pub(crate) fn reset(&self) {
        let mut bytes = [0; 64];
        loop {
            match (&self.heard).read(&mut bytes) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.heard.as_fd()
    }
}
