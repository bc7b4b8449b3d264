//! Trying an operation: by a call that does not wait, or by asking first whether it would.

use super::poller::{Direction, Poller};
use super::turn::Turn;
use caio_core::{FileKind, Finished, MAX_INLINE_BYTES, Request, SharedFd, View};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use rustix::pipe::PIPE_BUF;
use std::io::{self, IoSlice, IoSliceMut, IsTerminal};
use std::sync::Arc;

/// What a platform does for what waits.
pub(crate) trait Calls: Send + Sync {
    /// Makes a poller.
    fn poller(&self) -> io::Result<Arc<dyn Poller>>;

    /// Whether an operation can be asked not to wait.
    fn knows_nowait(&self, request: &Request) -> bool;

    /// Makes an operation's call. Gives the request back if it would have to wait, or was found not
    /// to know that question. A panic is the operation's error.
    fn transfer(&self, request: Request, mode: Mode) -> Result<Finished, Request>;
}

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// So that it does not wait.
    Nowait,
    /// As the file is, which was ready.
    Ready,
}

/// What became of an operation that was tried.
pub(super) enum Attempt {
    /// It has an answer.
    Ended(Finished),
    /// It has to wait.
    Waits(Request),
    /// A worker is to carry it out: it takes long, or nobody knows whether it waits.
    Worker(Request),
}

/// Tries an operation where nobody may be held up.
pub(super) fn attempt(calls: &dyn Calls, mut request: Request) -> Attempt {
    if is_instant(&request) {
        return Attempt::Ended(transfer_nothing(request));
    }
    if request.op().bytes() <= MAX_INLINE_BYTES && calls.knows_nowait(&request) {
        request = match calls.transfer(request, Mode::Nowait) {
            Ok(finished) => return Attempt::Ended(finished),
            Err(request) => request,
        };
        if calls.knows_nowait(&request) {
            return Attempt::Waits(request);
        }
    }
    if may_go_ahead(&request) { Attempt::Worker(request) } else { Attempt::Waits(request) }
}

/// Carries an operation out in a worker. Gives it back if it has to wait.
pub(super) fn carry_out(calls: &dyn Calls, mut request: Request) -> Result<Finished, Request> {
    if calls.knows_nowait(&request) {
        request = match calls.transfer(request, Mode::Nowait) {
            Ok(finished) => return Ok(finished),
            Err(request) => request,
        };
        if calls.knows_nowait(&request) {
            return Err(request);
        }
    }
    let _turn = Turn::take(&request);
    if may_go_ahead(&request) { calls.transfer(request, Mode::Ready) } else { Err(request) }
}

/// Whether an operation never waits: a transfer of nothing, unless it is a datagram.
pub(super) fn is_instant(request: &Request) -> bool {
    request.op().bytes() == 0 && !(request.op().is_write() && is_record_socket(request.fd()))
}

/// Whether a file is ready for a direction, or has an error to tell.
pub(super) fn is_ready(fd: &SharedFd, direction: Direction) -> bool {
    let wanted = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = retry_on_intr(|| poll(&mut [PollFd::new(fd, wanted)], Some(&now)));
    // Where that cannot be asked, a call will tell.
    ready != Ok(0)
}

/// Writes as much to a pipe as it takes without waiting, which is `PIPE_BUF` bytes each time that
/// it polls writable (`pipe(7)`).
pub(crate) fn write_to_pipe(request: &mut Request) -> io::Result<usize> {
    let fd = request.fd().share();
    let mut done = 0;
    while done < request.op().bytes() {
        if !is_ready(&fd, Direction::Write) {
            return if done == 0 { Err(Errno::AGAIN.into()) } else { Ok(done) };
        }
        let written = retry_on_intr(|| match request.view_part(done, PIPE_BUF) {
            View::Write(buf, _) => rustix::io::write(&fd, buf),
            View::Writev(bufs, _) => rustix::io::writev(&fd, &bufs),
            View::Read(..) | View::Readv(..) | View::Fsync | View::Fdatasync => Ok(0),
        });
        match written {
            Ok(1..) => done += written?,
            Err(error) if done == 0 => return Err(error.into()),
            Ok(0) | Err(_) => break,
        }
    }
    Ok(done)
}

/// Whether a call may be made that is not asked not to wait. A device need not say that it can be
/// written to: `/dev/kmsg` does not.
fn may_go_ahead(request: &Request) -> bool {
    let fd = request.fd();
    let device = fd.kind() == FileKind::Character && !fd.file().is_terminal();
    device && request.op().is_write() || is_ready(fd, Direction::of(request))
}

/// Whether a file is a socket that keeps records apart.
fn is_record_socket(fd: &SharedFd) -> bool {
    fd.kind() == FileKind::Socket && !matches!(socket_type(fd), Ok(SocketType::STREAM))
}

/// Transfers nothing, which only finds out whether the file is open for that.
fn transfer_nothing(request: Request) -> Finished {
    let fd = request.fd();
    let result = if request.op().is_read() {
        rustix::io::readv(fd, &mut [IoSliceMut::new(&mut [])])
    } else {
        rustix::io::writev(fd, &[IoSlice::new(&[])])
    };
    request.finish(result.map(|_| 0).map_err(io::Error::from))
}
