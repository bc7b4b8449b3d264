//! Pipes, which `std` cannot make in every version that this workspace supports.

use caio_core::SharedFd;
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};

/// A pipe: what is read from, and what is written to.
#[must_use]
pub fn pipe() -> (SharedFd, File) {
    let (reader, writer) = pipe_ends();
    (reader.into(), writer.into())
}

/// A pipe the other way round: what is written to, and what is read from.
#[must_use]
pub fn pipe_to() -> (SharedFd, File) {
    let (reader, writer) = pipe_ends();
    (writer.into(), reader.into())
}

/// The reading and the writing end of a new pipe, neither of them left open by an `exec`.
///
/// # Panics
/// If there can be none.
#[must_use]
pub fn pipe_ends() -> (OwnedFd, OwnedFd) {
    let mut fds = [-1; 2];
    // SAFETY: the array has room for the two numbers that are written to it.
    let made = unsafe { libc::pipe(fds.as_mut_ptr()) };
    assert_eq!(made, 0, "a pipe: {}", std::io::Error::last_os_error());
    // SAFETY: `pipe` has just opened this descriptor for us, and nobody else owns it.
    let reader = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: as above.
    let writer = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    // A clone has the close-on-exec flag, on every Unix.
    (reader.try_clone().expect("a pipe's end"), writer.try_clone().expect("a pipe's end"))
}
