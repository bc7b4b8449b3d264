//! Transfers of a socket that never wait, whatever mode the socket is in.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_long, iovec, msghdr};

use crate::retry::retry;

/// `recvmsg(fd, {iov, count}, MSG_DONTWAIT)`: receives what is there, of a datagram as much as
/// fits.
///
/// `recv(2)`. Descriptors and credentials that come with it are discarded, as `read(2)` does.
///
/// # Errors
///
/// `EAGAIN`: nothing is there. `ECONNRESET`, `ECONNREFUSED` and whatever else the socket has to
/// tell, each once. `ENOTCONN`. `ENOTSOCK`.
///
/// # Safety
///
/// `count` iovecs at `iov` are valid for reads, and what each names is valid for writes and
/// accessed by nobody else during the call.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use caio_sys::{rw::iovec, socket::receive_raw};
///
/// let (socket, _other) = UnixStream::pair()?; // which would wait
/// let mut buf = [0_u8; 8];
/// let iov = [iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: 8 }];
/// // SAFETY: `buf` and `iov` are ours.
/// let nothing = unsafe { receive_raw(socket.as_fd(), iov.as_ptr(), 1) }.unwrap_err();
/// assert_eq!(nothing.raw_os_error(), Some(libc::EAGAIN));
/// # Ok(())
/// # }
/// ```
pub unsafe fn receive_raw(fd: BorrowedFd<'_>, iov: *const iovec, count: usize) -> io::Result<usize> {
    let mut message = message(iov, count);
    // SAFETY: the caller vouches for the iovecs and their buffers; the message is a live local.
    retry(|| unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) } as c_long)
}

/// `sendmsg(fd, {iov, count}, MSG_DONTWAIT | MSG_NOSIGNAL)`: sends what there is room for, a
/// datagram whole or not at all.
///
/// `send(2)`.
///
/// # Errors
///
/// `EAGAIN`: there is no room. `EPIPE`: the other end is closed; no signal is raised. `EMSGSIZE`:
/// too long for a datagram. `EDESTADDRREQ`, `ENOTCONN`. `ENOTSOCK`.
///
/// # Safety
///
/// `count` iovecs at `iov` are valid for reads, and what each names is valid for reads and written
/// to by nobody during the call.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use caio_sys::{rw::iovec, socket::send_raw};
///
/// let (socket, _other) = UnixStream::pair()?;
/// let iov = [iovec { iov_base: b"hello".as_ptr().cast_mut().cast(), iov_len: 5 }];
/// // SAFETY: the bytes are static, and `iov` is ours.
/// assert_eq!(unsafe { send_raw(socket.as_fd(), iov.as_ptr(), 1) }?, 5);
/// # Ok(())
/// # }
/// ```
pub unsafe fn send_raw(fd: BorrowedFd<'_>, iov: *const iovec, count: usize) -> io::Result<usize> {
    const FLAGS: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let message = message(iov, count);
    // SAFETY: the caller vouches for the iovecs and their buffers; the message is a live local.
    retry(|| unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, FLAGS) } as c_long)
}

/// A message of these buffers, without an address and without control data.
fn message(iov: *const iovec, count: usize) -> msghdr {
    // SAFETY: null pointers and zero lengths are what an empty message has.
    let mut message: msghdr = unsafe { mem::zeroed() };
    message.msg_iov = iov.cast_mut();
    // The C library's type for it differs; a caller has at most 1024.
    message.msg_iovlen = count as _;
    message
}
