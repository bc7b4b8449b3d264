//! Which way an operation takes through the pool.

use caio_core::{OpClass, Request};

/// The way of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Any worker takes it.
    Alone,
    /// One worker at a time takes those of its lane.
    Lane(Lane),
    /// One call of a worker serves all syncs of this file that wait when it begins.
    Syncs(usize),
    /// It may wait for ever, and occupies no worker meanwhile.
    Waits,
}

/// Operations of one file that are carried out one after the other, by [`SharedFd::id`](caio_core::SharedFd::id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Its buffered writes, which would contend for the file's lock.
    Writes(usize),
    /// Transfers at its own position, which each of them moves.
    Position(usize),
}

impl Route {
    /// The way of an operation.
    pub(crate) fn of(request: &Request, coalesce_syncs: bool) -> Self {
        let file = request.fd().id();
        match request.class() {
            OpClass::Stream => Self::Waits,
            OpClass::BufferedWrite => Self::Lane(Lane::Writes(file)),
            OpClass::Position => Self::Lane(Lane::Position(file)),
            OpClass::Sync if coalesce_syncs && request.priority().is_none() => Self::Syncs(file),
            OpClass::CachedRead | OpClass::Direct | OpClass::Sync => Self::Alone,
        }
    }
}
