//! Finishing an operation in its caller's thread, where that takes no waiting.

use super::carry::{self, Errno};
use super::facts::{IN_MEMORY, NO_NOWAIT_READ, NO_NOWAIT_WRITE, learn_no_nowait_read, may_write_nowait};
use caio_core::{Attempt, Attempted, NO_OFFSET, Op, SharedFd};
use caio_sys::rw::{self, RwFlags};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// The most bytes that are copied in the caller's thread, so that its executor is not held up.
const LONGEST_COPY: usize = 64 * 1024;

/// See [`attempt`](crate::attempt).
pub(crate) fn attempt(attempt: Attempt<'_>) -> Attempted {
    match *attempt.op() {
        Op::Read { offset, .. } | Op::Readv { offset, .. } => read(attempt, offset),
        Op::Write { offset, .. } | Op::Writev { offset, .. } => write(attempt, offset),
        Op::Fsync | Op::Fdatasync => attempt.missed(),
    }
}

/// Reads what the page cache, or a stream, holds.
fn read(attempt: Attempt<'_>, offset: u64) -> Attempted {
    let (op, fd) = (attempt.op(), attempt.fd());
    let asked = op.bytes();
    let marks = fd.hints().marks();
    if asked > LONGEST_COPY || fd.is_direct() || marks & NO_NOWAIT_READ != 0 {
        return attempt.missed();
    }
    let stream = fd.is_stream();
    if !stream && !fd.hints().inline_is_worthwhile() {
        return attempt.missed();
    }
    // The call with flags finds no fault with a directory that it need not read anything of.
    let memory = marks & IN_MEMORY != 0;
    let flags = if asked == 0 || memory { RwFlags::empty() } else { RwFlags::NOWAIT };
    // SAFETY: core lets the pointers of an attempt be followed until it is answered.
    match unsafe { carry::transfer(op, fd, flags) } {
        Ok(bytes) => {
            let short = bytes != 0 && bytes < asked && offset != NO_OFFSET && !memory;
            if short && !ends_at(fd, offset + bytes as u64) {
                fd.hints().inline_missed();
                return attempt.missed();
            }
            if !stream {
                fd.hints().inline_hit();
            }
            // SAFETY: the kernel has just written that many bytes to the memory of the operation.
            unsafe { attempt.transferred(bytes) }
        }
        Err(error) => {
            if Errno::of(&error) == Errno::WouldBlock && !stream {
                fd.hints().inline_missed();
            }
            failed(attempt, error, learn_no_nowait_read)
        }
    }
}

/// Writes what the file takes without waiting.
fn write(attempt: Attempt<'_>, offset: u64) -> Attempted {
    let (op, fd) = (attempt.op(), attempt.fd());
    let asked = op.bytes();
    if asked > LONGEST_COPY || asked == 0 || fd.is_direct() || !may_write_nowait(fd) {
        return attempt.missed();
    }
    // SAFETY: core lets the pointers of an attempt be followed until it is answered.
    match unsafe { carry::transfer(op, fd, RwFlags::NOWAIT) } {
        // The rest would have had to wait. All of it again is the same write, unless it went to the end of the file.
        Ok(bytes) if bytes < asked && offset != NO_OFFSET && !is_append(fd) => attempt.missed(),
        // SAFETY: so many bytes were written; no memory was read into.
        Ok(bytes) => unsafe { attempt.transferred(bytes) },
        Err(error) => failed(attempt, error, |fd| fd.hints().mark(NO_NOWAIT_WRITE)),
    }
}

/// Says what an error means: an answer, or that the slow route is to find out.
fn failed(attempt: Attempt<'_>, error: io::Error, learn: impl FnOnce(&SharedFd)) -> Attempted {
    match Errno::of(&error) {
        Errno::Final => attempt.failed(error),
        Errno::Unsupported => {
            learn(attempt.fd());
            attempt.missed()
        }
        Errno::WouldBlock | Errno::Other => attempt.missed(),
    }
}

/// Whether the file certainly has nothing at an offset, which tells a short read from one that met a page not in memory.
fn ends_at(fd: &SharedFd, offset: u64) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    rw::read(fd.as_fd(), &mut byte, offset, RwFlags::NOWAIT).is_ok_and(|read| read.is_empty())
}

/// Whether writes go to the end of the file, whatever their offset.
fn is_append(fd: &SharedFd) -> bool {
    caio_sys::file::status_flags(fd.as_fd()).map_or(true, |flags| flags.is_append())
}
