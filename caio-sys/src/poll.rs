//! `poll`: waiting until one of several descriptors is ready.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::BitOr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use libc::{c_long, c_short};

use crate::retry::retry_timeout;

/// A set of `POLL*` flags.
///
/// ```
/// use caio_sys::poll::PollEvents;
///
/// let both = PollEvents::IN | PollEvents::OUT;
/// assert!(both.contains(PollEvents::IN));
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollEvents(c_short);

impl PollEvents {
    /// `POLLIN`: a read does not block.
    pub const IN: Self = Self(libc::POLLIN);
    /// `POLLOUT`: a write does not block.
    pub const OUT: Self = Self(libc::POLLOUT);
    /// `POLLERR`: an error, or the reading end of a pipe is closed. Reported unasked.
    pub const ERR: Self = Self(libc::POLLERR);
    /// `POLLHUP`: the other end is closed. Reported unasked.
    pub const HUP: Self = Self(libc::POLLHUP);
    /// `POLLNVAL`: the descriptor is not open. Reported unasked.
    pub const NVAL: Self = Self(libc::POLLNVAL);

    /// No flag.
    ///
    /// ```
    /// assert!(caio_sys::poll::PollEvents::empty().is_empty());
    /// ```
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Whether no flag is set.
    ///
    /// ```
    /// assert!(!caio_sys::poll::PollEvents::IN.is_empty());
    /// ```
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every flag of `other` is set.
    ///
    /// ```
    /// use caio_sys::poll::PollEvents;
    /// assert!(!PollEvents::IN.contains(PollEvents::OUT));
    /// ```
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, for instance for the `aio_buf` of `IOCB_CMD_POLL`.
    ///
    /// ```
    /// assert_eq!(caio_sys::poll::PollEvents::IN.bits(), 1);
    /// ```
    pub const fn bits(self) -> c_short {
        self.0
    }
}

impl BitOr for PollEvents {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `struct pollfd`: a descriptor, what to wait for, and what has come.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use caio_sys::poll::{PollEvents, PollFd};
///
/// let (socket, _other) = UnixStream::pair()?;
/// let entry = PollFd::new(socket.as_fd(), PollEvents::IN);
/// assert!(entry.ready().is_empty());
/// # Ok(())
/// # }
/// ```
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct PollFd<'fd> {
    /// The kernel's own structure.
    raw: libc::pollfd,
    /// The descriptor stays open for as long as this lives.
    fd: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> PollFd<'fd> {
    /// Waits for `interest` on `fd`.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::os::fd::AsFd;
    /// use caio_sys::{eventfd::EventFd, poll::{PollEvents, PollFd}};
    ///
    /// let event = EventFd::new()?;
    /// let entry = PollFd::new(event.as_fd(), PollEvents::IN);
    /// # let _ = entry;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(fd: BorrowedFd<'fd>, interest: PollEvents) -> Self {
        let raw = libc::pollfd { fd: fd.as_raw_fd(), events: interest.0, revents: 0 };
        Self { raw, fd: PhantomData }
    }

    /// What the last [`poll`] found: of the interest, and of the flags that are reported unasked.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::os::fd::AsFd;
    /// use caio_sys::{eventfd::EventFd, poll::{PollEvents, PollFd, poll}};
    ///
    /// let event = EventFd::new()?;
    /// let mut entry = PollFd::new(event.as_fd(), PollEvents::OUT);
    /// poll(std::slice::from_mut(&mut entry), None)?;
    /// assert_eq!(entry.ready(), PollEvents::OUT);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn ready(&self) -> PollEvents {
        PollEvents(self.raw.revents)
    }
}

impl fmt::Debug for PollFd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollFd")
            .field("fd", &self.raw.fd)
            .field("interest", &PollEvents(self.raw.events))
            .field("ready", &self.ready())
            .finish()
    }
}

/// `ppoll(fds, timeout, NULL)`: waits until an entry is ready, and returns how many are.
///
/// `poll(2)`, Linux 2.6.16. `None` waits without limit, zero does not wait; zero entries are ready
/// when `timeout` has passed. A signal neither ends nor stretches the wait.
///
/// # Errors
///
/// `EINVAL`: more entries than `RLIMIT_NOFILE`. `ENOMEM`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// use caio_sys::{eventfd::EventFd, poll::{PollEvents, PollFd, poll}};
///
/// let event = EventFd::new()?;
/// let mut fds = [PollFd::new(event.as_fd(), PollEvents::IN)];
/// assert_eq!(poll(&mut fds, Some(Duration::from_millis(1)))?, 0);
/// event.signal()?;
/// assert_eq!(poll(&mut fds, None)?, 1);
/// assert_eq!(fds[0].ready(), PollEvents::IN);
/// # Ok(())
/// # }
/// ```
pub fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    let count = fds.len() as c_long;
    let address = fds.as_mut_ptr();
    retry_timeout(timeout, |mut left| {
        // The call writes what is left of the time.
        let left = left.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let no_mask = ptr::null::<libc::sigset_t>();
        // SAFETY: `PollFd` is a transparent `pollfd`, `fds` has `count` of them, and `left` is null
        // or a live local.
        unsafe { libc::syscall(libc::SYS_ppoll, address, count, left, no_mask, 0 as c_long) }
    })
}
