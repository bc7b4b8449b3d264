//! The lines of operations that wait, by file and direction.

use super::Poller;
use super::poller::Direction;
use crate::requests::{Order, Requests};
use caio_core::{Request, SharedFd};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// All lines of a pool.
#[derive(Default)]
pub(super) struct Lines {
    /// The operations that wait. One that is being tried is not among them.
    pub(super) requests: Requests,
    /// The files that are waited for, by [`SharedFd::id`].
    pub(super) files: FxHashMap<usize, Waited>,
    /// Tells which files are ready; there while the event loop runs.
    pub(super) poller: Option<Arc<dyn Poller>>,
    /// Whether nothing may wait any more.
    pub(super) stopped: bool,
}

/// A file that is waited for.
pub(super) struct Waited {
    /// Keeps the descriptor open, and its number ours.
    pub(super) fd: SharedFd,
    /// Whether the poller knows it.
    pub(super) is_armed: bool,
    /// Those that read.
    reads: Line,
    /// Those that write.
    writes: Line,
}

/// Those that wait for one direction of a file.
#[derive(Default)]
pub(super) struct Line {
    /// Those that wait, in the order in which they came.
    pub(super) order: Order,
    /// Whether somebody is trying the first.
    pub(super) is_taken: bool,
    /// Whether the file may have become ready since the first was tried.
    pub(super) is_ready: bool,
}

/// Names a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineId {
    /// The file, by [`SharedFd::id`].
    pub(super) file: usize,
    /// Which way.
    pub(super) direction: Direction,
}

impl LineId {
    /// The line of an operation.
    pub(super) fn of(request: &Request) -> Self {
        Self { file: request.fd().id(), direction: Direction::of(request) }
    }
}

impl Line {
    /// Whether a newcomer has to wait for others.
    pub(super) fn is_busy(&self) -> bool {
        self.is_taken || !self.order.is_empty()
    }
}

impl Waited {
    /// Nobody waits yet.
    pub(super) fn new(fd: SharedFd) -> Self {
        Self { fd, is_armed: false, reads: Line::default(), writes: Line::default() }
    }

    /// The line of a direction.
    pub(super) fn line(&mut self, direction: Direction) -> &mut Line {
        match direction {
            Direction::Read => &mut self.reads,
            Direction::Write => &mut self.writes,
        }
    }
}

impl Lines {
    /// A line, if somebody waits for its file.
    pub(super) fn line(&mut self, line: LineId) -> Option<&mut Line> {
        Some(self.files.get_mut(&line.file)?.line(line.direction))
    }

    /// Takes a file out for which nobody waits, to be dropped without the lock: that may close it.
    pub(super) fn forget_if_idle(&mut self, id: usize) -> Option<Waited> {
        let file = self.files.get(&id)?;
        if file.reads.is_busy() || file.writes.is_busy() {
            return None;
        }
        let file = self.files.remove(&id)?;
        if let Some(poller) = self.poller.as_ref().filter(|_| file.is_armed) {
            poller.disarm(&file.fd);
        }
        Some(file)
    }
}
