//! The system calls of an operation.

use super::facts;
use super::streams::Streams;
use crate::carrier::Carrier;
use crate::pool::Shared;
use caio_core::{Finished, IoPriority, Key, Op, Region, Regions, Request, SharedFd};
use caio_sys::rw::{self, RwFlags, iovec};
use caio_sys::sched::{IoClass, IoPrio, ioprio_get, ioprio_set};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// How much a pipe takes without waiting once it polls writable (`PIPE_BUF`, `pipe(7)`).
const PIPE_ROOM: usize = 4096;

/// A region is the `struct iovec` that the kernel takes.
const _: () = assert!(size_of::<Region>() == size_of::<iovec>() && align_of::<Region>() == align_of::<iovec>());

/// Makes the system calls of one pool.
#[derive(Debug, Default)]
struct Linux {
    /// The operations that wait for pipes, sockets and devices.
    streams: Arc<Streams>,
}

/// See [`platform::carrier`](crate::platform::carrier).
pub(crate) fn carrier() -> Box<dyn Carrier> {
    Box::new(Linux::default())
}

impl Carrier for Linux {
    fn perform(&self, request: Request) -> Finished {
        let stream = request.op().bytes() != 0 && facts::may_wait(request.fd());
        let (id, reads) = (request.fd().id(), request.op().is_read());
        let result = with_priority(request.priority(), || {
            if stream && request.op().is_write() {
                // SAFETY: core gave the request its memory until it ends.
                return unsafe { write_some(request.op(), request.fd()) };
            }
            // SAFETY: core gave the request its memory until it ends.
            unsafe { transfer(request.op(), request.fd(), RwFlags::empty()) }
        });
        // SAFETY: the call is over, and has initialised as many bytes as it says.
        let finished = unsafe { request.finish_raw(result) };
        if stream {
            self.streams.performed(id, reads);
        }
        finished
    }

    fn sync(&self, fd: &SharedFd, data_only: bool) -> io::Result<()> {
        if data_only { rw::fdatasync(fd.as_fd()) } else { rw::fsync(fd.as_fd()) }
    }

    fn may_wait(&self, fd: &SharedFd) -> bool {
        facts::may_wait(fd)
    }

    fn submit_stream(&self, pool: &Arc<Shared>, request: Request) -> Result<(), Finished> {
        Streams::submit(&self.streams, pool, request)
    }

    fn cancel_stream(&self, key: Key) -> Option<Request> {
        self.streams.cancel(key)
    }

    fn released(&self, request: &Request) {
        if request.op().bytes() != 0 && facts::may_wait(request.fd()) {
            self.streams.performed(request.fd().id(), request.op().is_read());
        }
    }

    fn stop(&self) -> Vec<Request> {
        self.streams.stop()
    }
}

/// Tries a request's operation once without waiting; `None` if it has to wait, or only a worker can tell.
pub(super) fn try_now(request: &Request) -> Option<io::Result<usize>> {
    let (op, fd) = (request.op(), request.fd());
    let unsupported = if op.is_read() { facts::NO_NOWAIT_READ } else { facts::NO_NOWAIT_WRITE };
    if fd.hints().marks() & unsupported != 0 {
        return None;
    }
    // SAFETY: core gave the request its memory until it ends.
    match unsafe { transfer(op, fd, RwFlags::NOWAIT) } {
        Ok(bytes) => Some(Ok(bytes)),
        Err(error) => match Errno::of(&error) {
            Errno::WouldBlock => None,
            Errno::Unsupported => {
                fd.hints().mark(unsupported);
                None
            }
            Errno::Final | Errno::Other => Some(Err(error)),
        },
    }
}

/// Ends a request with what [`try_now`] said of it.
pub(super) fn finish_tried(request: Request, result: io::Result<usize>) -> Finished {
    // SAFETY: private to this platform, and only called with the result of `try_now` for this request: the call is over, and
    // has initialised as many bytes as it says.
    unsafe { request.finish_raw(result) }
}

/// Makes the one system call of an operation.
///
/// # Safety
/// The operation's memory is the caller's to use.
#[inline]
pub(super) unsafe fn transfer(op: &Op, fd: &SharedFd, flags: RwFlags) -> io::Result<usize> {
    let fd = fd.as_fd();
    match op {
        // SAFETY: the caller's promise.
        Op::Read { region, offset } => unsafe { rw::read_raw(fd, region.as_ptr(), region.len(), *offset, flags) },
        // SAFETY: the caller's promise.
        Op::Write { region, offset } => unsafe { rw::write_raw(fd, region.as_ptr(), region.len(), *offset, flags) },
        Op::Readv { regions, offset } => {
            // SAFETY: the caller's promise; the array is the operation's as well.
            unsafe { rw::readv_raw(fd, iovecs(regions), regions.count(), *offset, flags) }
        }
        Op::Writev { regions, offset } => {
            // SAFETY: as above.
            unsafe { rw::writev_raw(fd, iovecs(regions), regions.count(), *offset, flags) }
        }
        Op::Fsync => rw::fsync(fd).map(|()| 0),
        Op::Fdatasync => rw::fdatasync(fd).map(|()| 0),
    }
}

/// Writes as much as a stream that polls writable certainly takes without waiting.
///
/// # Safety
/// The operation's memory is the caller's to use.
unsafe fn write_some(op: &Op, fd: &SharedFd) -> io::Result<usize> {
    let (first, offset) = match op {
        Op::Write { region, offset } => (Some(region), *offset),
        Op::Writev { regions, offset } => (regions.as_slice().iter().find(|region| !region.is_empty()), *offset),
        Op::Read { .. } | Op::Readv { .. } | Op::Fsync | Op::Fdatasync => (None, rw::NO_OFFSET),
    };
    let Some(region) = first else {
        return Ok(0);
    };
    let len = region.len().min(PIPE_ROOM);
    // SAFETY: the caller's promise; it is a part of the operation's memory.
    unsafe { rw::write_raw(fd.as_fd(), region.as_ptr(), len, offset, RwFlags::empty()) }
}

/// The regions as the kernel takes them.
fn iovecs(regions: &Regions) -> *const iovec {
    regions.as_ptr().cast()
}

/// Makes a call with an I/O priority of its own: `ioprio_set(2)`, Linux 2.6.13.
fn with_priority(priority: Option<IoPriority>, call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    let Some(priority) = priority else {
        return call();
    };
    let class = match priority.as_u16() >> 13 {
        1 => IoClass::RealTime,
        2 => IoClass::BestEffort,
        _ => IoClass::Idle,
    };
    let wanted = IoPrio::new(class, priority.level())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a priority level must be between 0 and 7"))?;
    let before = ioprio_get();
    ioprio_set(wanted)?;
    let result = call();
    let restored = before.and_then(ioprio_set);
    if let (Err(_), Some(usual)) = (restored, IoPrio::new(IoClass::None, 0)) {
        // A thread that never had a priority may be told a value that cannot be set.
        let unset = ioprio_set(usual);
        debug_assert!(unset.is_ok(), "any thread may give its priority up");
    }
    result
}

/// What an error of a call with `RWF_NOWAIT` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errno {
    /// It would have had to wait.
    WouldBlock,
    /// The file or the kernel does not know the flag.
    Unsupported,
    /// The call without the flag would say the same.
    Final,
    /// Anything else.
    Other,
}

impl Errno {
    /// Sorts an error.
    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind;
        /// `EBADF`, the same number on every architecture.
        const EBADF: i32 = 9;
        match error.kind() {
            ErrorKind::WouldBlock => Self::WouldBlock,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::IsADirectory | ErrorKind::NotSeekable | ErrorKind::BrokenPipe => Self::Final,
            _ if error.raw_os_error() == Some(EBADF) => Self::Final,
            _ => Self::Other,
        }
    }
}
