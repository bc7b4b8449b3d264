//! One call on Unix: `read(2)`, `readv(2)`, `pread(2)`, `preadv(2)` and their counterparts.

use caio_core::{NO_OFFSET, SharedFd, View};
use rustix::io::{pread, preadv, pwrite, pwritev, read, readv, write, writev};
use std::io;

/// Makes the call.
pub(super) fn transfer(fd: &SharedFd, view: View<'_>) -> io::Result<usize> {
    let transferred = match view {
        View::Read(buf, NO_OFFSET) => read(fd, buf),
        View::Write(buf, NO_OFFSET) => write(fd, buf),
        View::Readv(mut bufs, NO_OFFSET) => readv(fd, &mut bufs),
        View::Writev(bufs, NO_OFFSET) => writev(fd, &bufs),
        View::Read(buf, offset) => pread(fd, buf, offset),
        View::Write(buf, offset) => pwrite(fd, buf, offset),
        View::Readv(mut bufs, offset) => preadv(fd, &mut bufs, offset),
        View::Writev(bufs, offset) => pwritev(fd, &bufs, offset),
        View::Fsync => return fd.file().sync_all().map(|()| 0),
        View::Fdatasync => return fd.file().sync_data().map(|()| 0),
    };
    Ok(transferred?)
}
