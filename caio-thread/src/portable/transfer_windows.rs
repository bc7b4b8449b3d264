//! One call on Windows: `ReadFile` and `WriteFile`, with an offset as well, which also move the
//! file's own position.

use caio_core::{NO_OFFSET, SharedFd, View};
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::os::windows::fs::FileExt;

/// How much is copied so that several buffers are written by one call.
const MAX_COPY: usize = 1024 * 1024;

/// Makes the call, for several buffers as many as there are.
pub(super) fn transfer(fd: &SharedFd, view: View<'_>) -> io::Result<usize> {
    let file = fd.file();
    match view {
        View::Read(buf, offset) => read(file, buf, offset),
        View::Write(buf, offset) => write(file, buf, offset),
        View::Readv(mut bufs, offset) => {
            // Of a stream whatever comes first is the result.
            let most = if fd.is_stream() { 1 } else { usize::MAX };
            in_turn(bufs.iter_mut().filter(|buf| !buf.is_empty()).take(most), offset, |buf, at| {
                (buf.len(), read(file, buf, at))
            })
        }
        View::Writev(bufs, offset) if bufs.iter().map(|buf| buf.len()).sum::<usize>() <= MAX_COPY => {
            let whole: Vec<&[u8]> = bufs.iter().map(|buf| &**buf).collect();
            write(file, &whole.concat(), offset)
        }
        View::Writev(bufs, offset) => in_turn(&bufs, offset, |buf: &IoSlice<'_>, at| (buf.len(), write(file, buf, at))),
        View::Fsync => file.sync_all().map(|()| 0),
        View::Fdatasync => file.sync_data().map(|()| 0),
    }
}

/// Reads at an offset, or the file's own position.
fn read(mut file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    if offset == NO_OFFSET { file.read(buf) } else { file.seek_read(buf, offset) }
}

/// Writes at an offset, or the file's own position.
fn write(mut file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    if offset == NO_OFFSET { file.write(buf) } else { file.seek_write(buf, offset) }
}

/// Transfers buffer by buffer, until one transfer is short or fails; a failure counts only if
/// nothing was transferred.
fn in_turn<B>(
    bufs: impl IntoIterator<Item = B>,
    offset: u64,
    mut one: impl FnMut(B, u64) -> (usize, io::Result<usize>),
) -> io::Result<usize> {
    let mut done = 0;
    for buf in bufs {
        let at = if offset == NO_OFFSET { NO_OFFSET } else { offset + done as u64 };
        match one(buf, at) {
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
