//! The system calls of what may wait for ever.

use super::syscalls::{iovecs, transfer};
use crate::syscalls::caught;
use crate::waits::{Calls, Epoll, Mode, Poller, is_pollable, write_to_pipe};
use caio_core::{Fact, FileKind, Finished, Request};
use caio_sys::errno::Meaning;
use caio_sys::rw::RwFlags;
use caio_sys::socket::{receive_raw, send_raw};
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

/// Asks a file not to wait, where it knows the question: by `MSG_DONTWAIT` a socket, by
/// `RWF_NOWAIT` (`preadv2(2)`) a pipe (Linux 6.5) and much else.
#[derive(Debug)]
pub(crate) struct LinuxStreams;

impl Calls for LinuxStreams {
    fn poller(&self) -> io::Result<Arc<dyn Poller>> {
        Ok(Arc::new(Epoll::new()?))
    }

    fn knows_nowait(&self, request: &Request) -> bool {
        let fd = request.fd();
        match fd.kind() {
            FileKind::Socket => true,
            // Of those that never wait some answer early.
            FileKind::Character => fd.fact(fact(request), || is_pollable(fd)),
            _ => fd.known(fact(request)) != Some(false),
        }
    }

    fn transfer(&self, mut request: Request, mode: Mode) -> Result<Finished, Request> {
        let kind = request.fd().kind();
        let result = caught(|| match (kind, mode) {
            // SAFETY: core gave the request its memory until it ends.
            (FileKind::Socket, _) => unsafe { exchange(&request) },
            // SAFETY: as above.
            (_, Mode::Nowait) => unsafe { transfer(request.op(), request.fd().as_fd(), RwFlags::NOWAIT) },
            (FileKind::Pipe, Mode::Ready) => transfer_by_pipe(&mut request),
            // SAFETY: as above.
            (_, Mode::Ready) => unsafe { transfer(request.op(), request.fd().as_fd(), RwFlags::empty()) },
        });
        match result.as_ref().map_err(Meaning::of) {
            Err(Meaning::WouldBlock) => Err(request),
            Err(Meaning::Unsupported) if mode == Mode::Nowait && kind != FileKind::Socket => {
                request.fd().learn(fact(&request), false);
                Err(request)
            }
            // SAFETY: the call is over, and has initialised as many bytes as it says.
            _ => Ok(unsafe { request.finish_raw(result) }),
        }
    }
}

/// Whether the file knows the question, of an operation's direction.
fn fact(request: &Request) -> Fact {
    if request.op().is_read() { Fact::NowaitReads } else { Fact::NowaitWrites }
}

/// Transfers by a pipe that does not know `RWF_NOWAIT`: one with a name, or any before Linux 6.5.
/// It is opened once more in non-blocking mode, so that those who share the descriptor see nothing
/// of it.
fn transfer_by_pipe(request: &mut Request) -> io::Result<usize> {
    let (reads, number) = (request.op().is_read(), request.fd().as_raw_fd());
    let mut options = File::options();
    options.read(reads).write(!reads).custom_flags(OFlags::NONBLOCK.bits() as i32);
    let opened = options.open(format!("/proc/thread-self/fd/{number}"));
    match &opened {
        // SAFETY: core gave the request its memory until it ends.
        Ok(pipe) => unsafe { transfer(request.op(), pipe.as_fd(), RwFlags::empty()) },
        Err(_) if !reads => write_to_pipe(request),
        // SAFETY: as above.
        Err(_) => unsafe { transfer(request.op(), request.fd().as_fd(), RwFlags::empty()) },
    }
}

/// Receives from a socket, or sends to it, without waiting.
///
/// # Safety
/// The operation's memory is the caller's to use.
unsafe fn exchange(request: &Request) -> io::Result<usize> {
    let (fd, regions) = (request.fd().as_fd(), request.op().regions());
    let (iov, count) = (iovecs(regions), regions.len());
    if request.op().is_read() {
        // SAFETY: the caller's promise; the regions are the operation's as well.
        unsafe { receive_raw(fd, iov, count) }
    } else {
        // SAFETY: as above.
        unsafe { send_raw(fd, iov, count) }
    }
}
