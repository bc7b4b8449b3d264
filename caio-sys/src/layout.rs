//! Proof, at compile time, that our structures are laid out as libc's; it has no `io_event`.

use std::mem::offset_of;

use crate::aio::iocb;
use crate::file::Statx;

const _: () = {
    assert!(size_of::<iocb>() == size_of::<libc::iocb>());
    assert!(align_of::<iocb>() == align_of::<libc::iocb>());
    assert!(offset_of!(iocb, aio_data) == offset_of!(libc::iocb, aio_data));
    assert!(offset_of!(iocb, aio_key) == offset_of!(libc::iocb, aio_key));
    assert!(offset_of!(iocb, aio_rw_flags) == offset_of!(libc::iocb, aio_rw_flags));
    assert!(offset_of!(iocb, aio_lio_opcode) == offset_of!(libc::iocb, aio_lio_opcode));
    assert!(offset_of!(iocb, aio_reqprio) == offset_of!(libc::iocb, aio_reqprio));
    assert!(offset_of!(iocb, aio_fildes) == offset_of!(libc::iocb, aio_fildes));
    assert!(offset_of!(iocb, aio_buf) == offset_of!(libc::iocb, aio_buf));
    assert!(offset_of!(iocb, aio_nbytes) == offset_of!(libc::iocb, aio_nbytes));
    assert!(offset_of!(iocb, aio_offset) == offset_of!(libc::iocb, aio_offset));
    assert!(offset_of!(iocb, aio_flags) == offset_of!(libc::iocb, aio_flags));
    assert!(offset_of!(iocb, aio_resfd) == offset_of!(libc::iocb, aio_resfd));
};

const _: () = {
    assert!(size_of::<Statx>() == size_of::<libc::statx>());
    assert!(offset_of!(Statx, mask) == offset_of!(libc::statx, stx_mask));
    assert!(offset_of!(Statx, dio_mem_align) == offset_of!(libc::statx, stx_dio_mem_align));
    assert!(offset_of!(Statx, dio_offset_align) == offset_of!(libc::statx, stx_dio_offset_align));
};
