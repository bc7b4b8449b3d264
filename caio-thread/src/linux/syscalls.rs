//! The system calls of a worker.

use crate::syscalls::{Syscalls, caught};
use caio_core::{Finished, IoPriority, Op, Region, Request, SharedFd};
use caio_sys::rw::{self, Direction, RwFlags, iovec};
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
    let regions = op.regions();
    let direction = match op {
        Op::Read { .. } | Op::Readv { .. } => Direction::Read,
        Op::Write { .. } | Op::Writev { .. } => Direction::Write,
        Op::Fsync => return rw::fsync(fd).map(|()| 0),
        Op::Fdatasync => return rw::fdatasync(fd).map(|()| 0),
    };
    let offset = op.offset().unwrap_or(rw::NO_OFFSET);
    // SAFETY: the caller's promise; the regions are the operation's as well.
    unsafe { rw::transfer_raw(direction, fd, iovecs(regions), regions.len(), offset, flags) }
}

/// The regions as the kernel takes them; core asserts that they are laid out so.
pub(super) fn iovecs(regions: &[Region]) -> *const iovec {
    regions.as_ptr().cast()
}

/// Makes a call with an I/O priority of its own: `ioprio_set(2)`, Linux 2.6.13. It is a hint: where
/// it is refused, the call is made without it.
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
