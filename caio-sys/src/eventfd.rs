//! `eventfd`: a counter in the kernel that polls readable while it is not zero.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::c_long;

use crate::retry::retry;

/// An eventfd, closed on exec and never blocking; wait for it with [`poll`](crate::poll::poll).
///
/// `eventfd(2)`, Linux 2.6.27.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use caio_sys::eventfd::EventFd;
///
/// let event = EventFd::new()?;
/// event.signal()?;
/// event.signal()?;
/// assert_eq!(event.drain()?, Some(2));
/// assert_eq!(event.drain()?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EventFd {
    /// The descriptor.
    fd: OwnedFd,
}

impl EventFd {
    /// `eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)`.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`: too many open files. `ENOMEM`, `ENODEV`: the kernel could not make one.
    ///
    /// ```
    /// let event = caio_sys::eventfd::EventFd::new()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new() -> io::Result<Self> {
        // SAFETY: the call takes numbers only.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened `fd`, and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    /// `write(fd, &1_u64)`: adds one, so that the descriptor is readable.
    ///
    /// A counter that is full is readable as it is: that is no error.
    ///
    /// # Errors
    ///
    /// None that a sound descriptor gives.
    ///
    /// ```
    /// let event = caio_sys::eventfd::EventFd::new()?;
    /// event.signal()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn signal(&self) -> io::Result<()> {
        let one = 1_u64.to_ne_bytes();
        let fd = self.fd.as_raw_fd();
        // SAFETY: `one` is readable for its length.
        let written = retry(|| unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) } as c_long);
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other.map(drop),
        }
    }

    /// `read(fd)`: takes the counter and sets it to zero; `None` if it is zero already.
    ///
    /// # Errors
    ///
    /// None that a sound descriptor gives.
    ///
    /// ```
    /// let event = caio_sys::eventfd::EventFd::new()?;
    /// assert_eq!(event.drain()?, None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn drain(&self) -> io::Result<Option<u64>> {
        let mut count = [0_u8; 8];
        let fd = self.fd.as_raw_fd();
        // SAFETY: `count` is writable for its length.
        let read = retry(|| unsafe { libc::read(fd, count.as_mut_ptr().cast(), 8) } as c_long);
        match read {
            Ok(_) => Ok(Some(u64::from_ne_bytes(count))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl From<EventFd> for OwnedFd {
    fn from(event: EventFd) -> Self {
        event.fd
    }
}
