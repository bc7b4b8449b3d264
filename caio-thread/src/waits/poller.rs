//! What tells the event loop which files are ready.

use caio_core::{Request, SharedFd};
use std::io;
use std::time::Duration;

/// Waits for many files at once, for one thread.
pub(crate) trait Poller: Send + Sync {
    /// Tells when a file becomes ready for a direction: by at least one event, at once if it is
    /// ready now.
    ///
    /// # Errors
    /// `EAGAIN`: the file cannot be polled. `ENOSPC`, `ENOMEM`: there is no room for it.
    fn arm(&self, fd: &SharedFd, direction: Direction, arming: Arming) -> io::Result<()>;

    /// Forgets a file.
    fn disarm(&self, fd: &SharedFd);

    /// Ends a wait, or the next one.
    fn wake(&self);

    /// Waits until files are ready, somebody wakes it, or the time is up. It fails by waiting:
    /// never does it return in a loop for nothing.
    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>);
}

/// Which way an operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// From the file.
    Read,
    /// To the file.
    Write,
}

impl Direction {
    /// That of an operation.
    pub(super) fn of(request: &Request) -> Self {
        if request.op().is_read() { Self::Read } else { Self::Write }
    }
}

/// How a file is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arming {
    /// For the first time since it was forgotten.
    First,
    /// Not for the first time.
    Again,
    /// Not for the first time, and its last event was of no use.
    InVain,
}

/// A file has become ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// Its [`SharedFd::id`].
    pub(super) file: usize,
    /// Whether a read may have an answer.
    pub(super) reads: bool,
    /// Whether a write may.
    pub(super) writes: bool,
}

impl Event {
    /// The directions for which it is ready.
    pub(super) fn directions(self) -> impl Iterator<Item = Direction> {
        [self.reads.then_some(Direction::Read), self.writes.then_some(Direction::Write)].into_iter().flatten()
    }
}
