//! A request as the kernel reads it.

use caio_core::{Op, Region, Request};
use caio_sys::aio::{
    IOCB_CMD_FDSYNC, IOCB_CMD_FSYNC, IOCB_CMD_PREAD, IOCB_CMD_PREADV, IOCB_CMD_PWRITE, IOCB_CMD_PWRITEV,
    IOCB_FLAG_IOPRIO, IOCB_FLAG_RESFD, iocb,
};
use caio_sys::rw::{RwFlags, iovec};
use std::os::fd::{AsRawFd, BorrowedFd};

// The regions of a vectored operation are what `preadv` and `pwritev` take.
const _: () = {
    assert!(size_of::<Region>() == size_of::<iovec>());
    assert!(align_of::<Region>() == align_of::<iovec>());
};

/// Describes a request to the kernel, which signals `completed` at its completion. With `nowait` it
/// refuses what would block the call.
pub(crate) fn prep(request: &Request, nowait: bool, completed: BorrowedFd<'_>) -> iocb {
    let (aio_lio_opcode, aio_buf, aio_nbytes) = match request.op() {
        Op::Read { region, .. } => (IOCB_CMD_PREAD, address(region.as_ptr()), region.len()),
        Op::Write { region, .. } => (IOCB_CMD_PWRITE, address(region.as_ptr()), region.len()),
        Op::Readv { regions, .. } => (IOCB_CMD_PREADV, address(regions.as_ptr()), regions.count()),
        Op::Writev { regions, .. } => (IOCB_CMD_PWRITEV, address(regions.as_ptr()), regions.count()),
        Op::Fsync => (IOCB_CMD_FSYNC, 0, 0),
        Op::Fdatasync => (IOCB_CMD_FDSYNC, 0, 0),
    };
    let priority = request.priority();
    iocb {
        aio_fildes: request.fd().as_raw_fd() as u32,
        aio_offset: request.op().offset().map_or(0, |offset| offset as i64),
        aio_data: request.key().as_u64(),
        aio_rw_flags: if nowait { RwFlags::NOWAIT.bits() } else { 0 },
        aio_lio_opcode,
        aio_buf,
        aio_nbytes: aio_nbytes as u64,
        aio_reqprio: priority.map_or(0, |priority| priority.as_u16() as i16),
        aio_flags: IOCB_FLAG_RESFD | if priority.is_some() { IOCB_FLAG_IOPRIO } else { 0 },
        aio_resfd: completed.as_raw_fd() as u32,
        ..iocb::default()
    }
}

/// An address as the kernel's interface carries it.
fn address<T>(pointer: *const T) -> u64 {
    pointer as usize as u64
}
