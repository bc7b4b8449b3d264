//! Which way an operation takes through the pool.

use caio_core::{OpClass, Request};

/// The way of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Any worker takes it.
    Alone,
    /// One worker at a time takes those of its lane.
    Lane(Lane),
    /// It may wait for ever, and occupies no worker meanwhile.
    Waits,
}

/// Operations of one file that one worker at a time carries out, by
/// [`SharedFd::id`](caio_core::SharedFd::id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Its buffered writes, one after the other: they would contend for the file's lock.
    Writes(usize),
    /// Transfers at its own position, one after the other: each of them moves it.
    Position(usize),
    /// Its syncs: one call serves all that wait when it begins.
    Syncs(usize),
    /// What a stream is read by, where such a call cannot be ended.
    #[cfg(not(unix))]
    StreamReads(usize),
    /// What it is written by.
    #[cfg(not(unix))]
    StreamWrites(usize),
}

impl Route {
    /// The way of an operation.
    pub(crate) fn of(request: &Request, coalesce_syncs: bool) -> Self {
        let file = request.fd().id();
        match request.class() {
            OpClass::Stream => Self::Waits,
            OpClass::BufferedWrite => Self::Lane(Lane::Writes(file)),
            OpClass::Position => Self::Lane(Lane::Position(file)),
            OpClass::Sync if coalesce_syncs && request.priority().is_none() => Self::Lane(Lane::Syncs(file)),
            OpClass::CachedRead | OpClass::Direct | OpClass::Sync => Self::Alone,
        }
    }
}
