//! The system calls of a worker.

use crate::syscalls::{Syscalls, caught};
use caio_core::{Finished, IoPriority, Op, Regions, Request, SharedFd};
use caio_sys::rw::{self, RwFlags, iovec};
use caio_sys::sched::{IoClass, IoPrio, ioprio_get, ioprio_set};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Makes the calls as they are.
#[derive(Debug)]
pub(crate) struct Linux;

impl Syscalls for Linux {
    fn perform(&self, request: Request) -> Finished {
        let result = caught(|| {
            with_priority(request.priority(), || {
                // SAFETY: core gave the request its memory until it ends.
                unsafe { transfer(request.op(), request.fd().as_fd(), RwFlags::empty()) }
            })
        });
        // SAFETY: the call is over, and has initialised as many bytes as it says.
        unsafe { request.finish_raw(result) }
    }

    fn sync(&self, fd: &SharedFd, data_only: bool) -> io::Result<()> {
        if data_only { rw::fdatasync(fd.as_fd()) } else { rw::fsync(fd.as_fd()) }
    }
}

/// Makes the one system call of an operation.
///
/// # Safety
/// The operation's memory is the caller's to use.
#[inline]
pub(super) unsafe fn transfer(op: &Op, fd: BorrowedFd<'_>, flags: RwFlags) -> io::Result<usize> {
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

/// The regions as the kernel takes them; core asserts that they are laid out so.
pub(super) fn iovecs(regions: &Regions) -> *const iovec {
    regions.as_ptr().cast()
}

/// Makes a call with an I/O priority of its own: `ioprio_set(2)`, Linux 2.6.13. It is a hint: where it is refused, the call is made
/// without it.
fn with_priority(priority: Option<IoPriority>, call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    let Some(priority) = priority else {
        return call();
    };
    let class = match priority.as_u16() >> 13 {
        1 => IoClass::RealTime,
        2 => IoClass::BestEffort,
        _ => IoClass::Idle,
    };
    let before = ioprio_get();
    let is_set = IoPrio::new(class, priority.level()).is_some_and(|wanted| ioprio_set(wanted).is_ok());
    let result = call();
    if is_set {
        let restored = before.and_then(ioprio_set);
        if let (Err(_), Some(usual)) = (restored, IoPrio::new(IoClass::None, 0)) {
            // A thread that never had a priority may be told a value that cannot be set.
            let unset = ioprio_set(usual);
            debug_assert!(unset.is_ok(), "any thread may give its priority up");
        }
    }
    result
}
