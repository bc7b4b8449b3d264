//! The calls of what may wait for ever, on any Unix.

use super::syscalls::uninterrupted;
use super::transfer::transfer;
use crate::syscalls::caught;
use crate::waits::{Calls, Mode, Poll, Poller, write_to_pipe};
use caio_core::{FileKind, Finished, MAX_INLINE_BYTES, Request, View};
use rustix::io::ioctl_fionread;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, recvmsg, sendmsg};
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;

/// Asks sockets not to wait; of all other files it asks first whether they are ready.
#[derive(Debug)]
pub(crate) struct PortableStreams;

impl Calls for PortableStreams {
    fn poller(&self) -> io::Result<Arc<dyn Poller>> {
        Ok(Arc::new(Poll::new()?))
    }

    fn knows_nowait(&self, request: &Request) -> bool {
        request.fd().kind() == FileKind::Socket
    }

    fn transfer(&self, mut request: Request, _mode: Mode) -> Result<Finished, Request> {
        let result = caught(|| match request.fd().kind() {
            FileKind::Socket => exchange(&mut request),
            FileKind::Pipe if request.op().is_write() => write_to_pipe(&mut request),
            kind => {
                let fd = request.fd().share();
                // What is read is zeroed first. A pipe has no records, of which a part would be
                // lost.
                let limit = if kind == FileKind::Pipe { MAX_INLINE_BYTES } else { usize::MAX };
                uninterrupted(|| transfer(&fd, request.view_part(0, limit)))
            }
        });
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(request),
            result => Ok(request.finish(result)),
        }
    }
}

/// Receives from a socket, or sends to it, without waiting.
fn exchange(request: &mut Request) -> io::Result<usize> {
    #[cfg(target_vendor = "apple")]
    const SEND: SendFlags = SendFlags::DONTWAIT;
    #[cfg(not(target_vendor = "apple"))]
    const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
    let fd = request.fd().share();
    // What is received is zeroed first; a record that has come is no longer than this.
    let there = usize::try_from(ioctl_fionread(&fd).unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = if request.op().is_read() { there.max(MAX_INLINE_BYTES) } else { usize::MAX };
    let receive = |bufs: &mut [IoSliceMut<'_>]| {
        recvmsg(&fd, bufs, &mut RecvAncillaryBuffer::default(), RecvFlags::DONTWAIT).map(|message| message.bytes)
    };
    let send = |bufs: &[IoSlice<'_>]| sendmsg(&fd, bufs, &mut SendAncillaryBuffer::default(), SEND);
    uninterrupted(|| {
        Ok(match request.view_part(0, limit) {
            View::Read(buf, _) => receive(&mut [IoSliceMut::new(buf)])?,
            View::Readv(mut bufs, _) => receive(&mut bufs)?,
            View::Write(buf, _) => send(&[IoSlice::new(buf)])?,
            View::Writev(bufs, _) => send(&bufs)?,
            View::Fsync | View::Fdatasync => 0,
        })
    })
}
