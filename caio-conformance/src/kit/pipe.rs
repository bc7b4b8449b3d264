//! Pipes, which `std` cannot make in every version that this workspace supports.

use caio_core::SharedFd;
use std::fs::File;
use std::os::fd::OwnedFd;

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
    let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
    // A clone has the close-on-exec flag, on every Unix.
    (reader.try_clone().expect("a pipe's end"), writer.try_clone().expect("a pipe's end"))
}
