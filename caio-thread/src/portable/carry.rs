//! The calls of an operation, by way of `std::fs::File`.

use super::position::{read_at, write_at};
use super::streams::Streams;
use crate::carrier::Carrier;
use crate::pool::Shared;
use caio_core::{Finished, Key, NO_OFFSET, Request, SharedFd, View};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Makes the calls of one pool.
#[derive(Debug, Default)]
struct Portable {
    /// The operations that may have to wait.
    streams: Arc<Streams>,
}

/// See [`platform::carrier`](crate::platform::carrier).
pub(crate) fn carrier() -> Box<dyn Carrier> {
    Box::new(Portable::default())
}

impl Carrier for Portable {
    fn perform(&self, request: Request) -> Finished {
        perform(request)
    }

    fn sync(&self, fd: &SharedFd, data_only: bool) -> io::Result<()> {
        let file = fd.file();
        uninterrupted(|| if data_only { file.sync_data() } else { file.sync_all() })
    }

    fn may_wait(&self, fd: &SharedFd) -> bool {
        fd.is_stream()
    }

    fn submit_stream(&self, pool: &Arc<Shared>, request: Request) -> Result<(), Finished> {
        Streams::submit(&self.streams, pool, request)
    }

    fn cancel_stream(&self, key: Key) -> Option<Request> {
        self.streams.cancel(key)
    }

    fn stop(&self) -> Vec<Request> {
        self.streams.stop()
    }
}

/// Carries an operation out, however long it takes.
pub(super) fn perform(mut request: Request) -> Finished {
    let fd = request.fd().share();
    let transferred = catch_unwind(AssertUnwindSafe(|| transfer(&fd, request.view())));
    request.finish(transferred.unwrap_or_else(|_| Err(io::Error::other("the operation panicked in its worker"))))
}

/// Makes the calls.
fn transfer(fd: &SharedFd, view: View<'_>) -> io::Result<usize> {
    let mut file: &File = fd.file();
    match view {
        View::Read(buf, NO_OFFSET) => uninterrupted(|| file.read(buf)),
        View::Write(buf, NO_OFFSET) => uninterrupted(|| file.write(buf)),
        View::Readv(mut bufs, NO_OFFSET) => {
            let mut rest = &mut bufs[..];
            onward(fd, || {
                let bytes = uninterrupted(|| file.read_vectored(rest))?;
                IoSliceMut::advance_slices(&mut rest, bytes);
                Ok((bytes, rest.is_empty()))
            })
        }
        View::Writev(mut bufs, NO_OFFSET) => {
            let mut rest = &mut bufs[..];
            onward(fd, || {
                let bytes = uninterrupted(|| file.write_vectored(rest))?;
                IoSlice::advance_slices(&mut rest, bytes);
                Ok((bytes, rest.is_empty()))
            })
        }
        View::Read(buf, offset) => uninterrupted(|| read_at(file, buf, offset)),
        View::Write(buf, offset) => uninterrupted(|| write_at(file, buf, offset)),
        View::Readv(mut bufs, offset) => in_turn(&mut bufs, |buf: &mut IoSliceMut<'_>, done| {
            let wanted = buf.len();
            (wanted, uninterrupted(|| read_at(file, buf, offset + done)))
        }),
        View::Writev(mut bufs, offset) => in_turn(&mut bufs, |buf: &mut IoSlice<'_>, done| {
            let wanted = buf.len();
            (wanted, uninterrupted(|| write_at(file, buf, offset + done)))
        }),
        View::Fsync => uninterrupted(|| file.sync_all()).map(|()| 0),
        View::Fdatasync => uninterrupted(|| file.sync_data()).map(|()| 0),
    }
}

/// Transfers on from the file's own position until all is done or nothing comes: not every system takes more than one buffer at a
/// time. Of a stream whatever comes first is the result.
fn onward(fd: &SharedFd, mut step: impl FnMut() -> io::Result<(usize, bool)>) -> io::Result<usize> {
    let mut done = 0;
    loop {
        match step() {
            Ok((bytes, all)) => {
                done += bytes;
                if all || bytes == 0 || fd.is_stream() {
                    return Ok(done);
                }
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => return Ok(done),
        }
    }
}

/// Transfers buffer by buffer, until one transfer is short or fails; a failure counts only if nothing was transferred.
fn in_turn<B>(bufs: &mut [B], mut one: impl FnMut(&mut B, u64) -> (usize, io::Result<usize>)) -> io::Result<usize> {
    let mut done = 0;
    for buf in bufs {
        match one(buf, done as u64) {
            (wanted, Ok(bytes)) => {
                done += bytes;
                if bytes < wanted {
                    break;
                }
            }
            (_, Err(error)) if done == 0 => return Err(error),
            (_, Err(_)) => break,
        }
    }
    Ok(done)
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
