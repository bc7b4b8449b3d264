//! One operation of the table, and how far it has come.

use super::admission::Bound;
use crate::SharedFd;
use crate::completer::Completion;
use crate::key::Key;
use crate::op::{IoPriority, Op, OpClass};
use crate::payload::Orphan;
use crate::request::{Request, Terms};
use std::task::Waker;
use std::time::Duration;

/// What is asked for, on which file, and how.
#[derive(Debug)]
pub(crate) struct Described {
    /// What is asked for.
    pub(crate) op: Op,
    /// Keeps the file open.
    pub(crate) fd: SharedFd,
    /// What kind of operation it is.
    pub(crate) class: OpClass,
    /// How urgent it is.
    pub(crate) priority: Option<IoPriority>,
    /// How long it may take, from when it starts.
    pub(crate) timeout: Option<Duration>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Slot {
    /// Which use of the place this is.
    pub(super) generation: u32,
    /// What is asked for.
    pub(super) described: Described,
    /// How far it has come.
    pub(super) stage: Stage,
    /// Whom to wake.
    pub(super) waker: Option<Waker>,
    /// What its future left behind when it was dropped: the memory.
    pub(super) orphan: Option<Box<dyn Orphan>>,
    /// Whether somebody asked for it to be cancelled.
    pub(super) cancel_asked: bool,
    /// Whether its time is up.
    pub(super) expired: bool,
    /// Whether the timer has a deadline of it.
    pub(super) timed: bool,
    /// How often it was submitted again.
    pub(super) reissues: u8,
}

/// How far an operation has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// In a batch that has not been submitted.
    Staged,
    /// There is no room yet.
    Waiting,
    /// The backend has it.
    Running,
    /// It has ended.
    Done(Completion),
}

impl Slot {
    /// An operation that is staged, of no generation yet.
    pub(super) fn new(described: Described, waker: Option<Waker>) -> Self {
        Self {
            generation: 0,
            described,
            stage: Stage::Staged,
            waker,
            orphan: None,
            cancel_asked: false,
            expired: false,
            timed: false,
            reissues: 0,
        }
    }

    /// Which bound it counts against.
    pub(super) fn bound(&self) -> Bound {
        Bound::of(self.described.class, self.described.op.is_read())
    }

    /// Whether this is the key's operation.
    pub(super) fn is(&self, key: Key) -> bool {
        key == Key::new(key.index() as u32, self.generation)
    }

    /// Whether this is the key's operation, and it waits.
    pub(super) fn is_waiting(&self, key: Key) -> bool {
        matches!(self.stage, Stage::Waiting) && self.is(key)
    }

    /// Its time begins: how long that is, if it is limited.
    pub(super) fn start_clock(&mut self) -> Option<Duration> {
        self.timed = self.described.timeout.is_some();
        self.described.timeout
    }

    /// The token for a backend.
    pub(super) fn request(&self, key: Key, direct_depth: u32) -> Request {
        let Described { op, fd, class, priority, .. } = &self.described;
        let terms = Terms { class: *class, priority: *priority, direct_depth, reissues: self.reissues.into() };
        Request::new(key, op.duplicate(), fd.share(), terms)
    }
}
