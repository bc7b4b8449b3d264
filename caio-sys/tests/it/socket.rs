//! Transfers of sockets.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

use caio_sys::rw::iovec;
use caio_sys::socket::{receive_raw, send_raw};

use crate::support::errno;

/// Sends one buffer.
fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> std::io::Result<usize> {
    let iov = [iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }];
    // SAFETY: both are ours.
    unsafe { send_raw(fd, iov.as_ptr(), 1) }
}

/// Receives into two buffers, of 4 bytes and of `room`.
fn receive(fd: BorrowedFd<'_>, room: usize) -> std::io::Result<Vec<u8>> {
    let (mut head, mut tail) = ([0_u8; 4], vec![0_u8; room]);
    let iov = [
        iovec { iov_base: head.as_mut_ptr().cast(), iov_len: head.len() },
        iovec { iov_base: tail.as_mut_ptr().cast(), iov_len: room },
    ];
    // SAFETY: all three are ours.
    let received = unsafe { receive_raw(fd, iov.as_ptr(), iov.len()) }?;
    Ok([&head, tail.as_slice()].concat()[..received].to_vec())
}

#[test]
fn a_stream_gives_what_is_there_and_takes_what_fits() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    assert_eq!(errno(receive(ours.as_fd(), 4)), libc::EAGAIN);
    assert_eq!(send(theirs.as_fd(), b"0123456789").unwrap(), 10);
    assert_eq!(receive(ours.as_fd(), 3).unwrap(), b"0123456");
    assert_eq!(receive(ours.as_fd(), 100).unwrap(), b"789");
    let mut sent = 0;
    let full = loop {
        match send(ours.as_fd(), &[7; 50_000]) {
            Ok(bytes) => sent += bytes,
            Err(error) => break error,
        }
    };
    assert_eq!((full.raw_os_error(), sent > 0), (Some(libc::EAGAIN), true));
}

#[test]
fn a_datagram_goes_whole_and_may_be_empty() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    assert_eq!(send(theirs.as_fd(), b"").unwrap(), 0);
    assert_eq!(send(theirs.as_fd(), &[1; 100_000]).unwrap(), 100_000);
    assert_eq!(receive(ours.as_fd(), 8).unwrap(), b"");
    assert_eq!(receive(ours.as_fd(), 200_000).unwrap(), [1; 100_000]);
    assert_eq!(errno(receive(ours.as_fd(), 8)), libc::EAGAIN);
}

#[test]
fn a_closed_end_is_told_without_a_signal() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert_eq!(receive(ours.as_fd(), 8).unwrap(), b"");
    assert_eq!(errno(send(ours.as_fd(), b"nobody")), libc::EPIPE);
}
