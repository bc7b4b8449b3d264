//! The system calls of what may wait for ever.

use super::syscalls::{iovecs, transfer};
use crate::syscalls::caught;
use crate::waits::{Calls, Epoll, Mode, Poller, is_pollable, write_to_pipe};
use caio_core::{Fact, FileKind, Finished, Request};
use caio_sys::errno::Meaning;
use caio_sys::rw::RwFlags;
use caio_sys::socket::{receive_raw, send_raw};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Asks a file not to wait, where it knows the question: by `MSG_DONTWAIT` a socket, by `RWF_NOWAIT` (`preadv2(2)`) a pipe
/// (Linux 6.5) and much else.
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
            (_, Mode::Nowait) => unsafe { transfer(request.op(), request.fd(), RwFlags::NOWAIT) },
            (FileKind::Pipe, Mode::Ready) if request.op().is_write() => write_to_pipe(&mut request),
            // SAFETY: as above.
            (_, Mode::Ready) => unsafe { transfer(request.op(), request.fd(), RwFlags::empty()) },
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
