//! The calls of a worker.

use super::transfer::transfer;
use crate::syscalls::{Syscalls, caught};
use caio_core::{Finished, Request, SharedFd};
use std::io;

/// How much one call reads: so much of a buffer is zeroed first.
const READ_PIECE: usize = 1024 * 1024;

/// Makes the calls by safe functions.
#[derive(Debug)]
pub(crate) struct Portable;

impl Syscalls for Portable {
    fn perform(&self, mut request: Request) -> Finished {
        let result = caught(|| if request.op().is_read() { read(&mut request) } else { write(&mut request) });
        request.finish(result)
    }

    fn sync(&self, fd: &SharedFd, data_only: bool) -> io::Result<()> {
        let file = fd.file();
        uninterrupted(|| if data_only { file.sync_data() } else { file.sync_all() })
    }
}

/// Reads piece by piece, so that the cost follows what there is and not the room for it. A failure
/// counts only if nothing was read.
fn read(request: &mut Request) -> io::Result<usize> {
    let fd = request.fd().share();
    let (total, mut done) = (request.op().bytes(), 0);
    loop {
        let wanted = READ_PIECE.min(total - done);
        let bytes = match uninterrupted(|| transfer(&fd, request.view_part(done, wanted))) {
            Err(error) if done == 0 => return Err(error),
            Err(_) => return Ok(done),
            Ok(bytes) => bytes,
        };
        done += bytes;
        if bytes < wanted || done == total {
            return Ok(done);
        }
    }
}

/// Writes or syncs, by one call.
fn write(request: &mut Request) -> io::Result<usize> {
    let fd = request.fd().share();
    uninterrupted(|| transfer(&fd, request.view()))
}

/// Makes a call until no signal interrupts it: the one place for that.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
