//! One operation of the table, and how far it has come.

use super::answers::Ended;
use crate::SharedFd;
use crate::completer::Completion;
use crate::key::Key;
use crate::op::{IoPriority, Op};
use crate::payload::Orphan;
use crate::request::Request;
use std::task::Waker;

/// One operation.
#[derive(Debug)]
pub(super) struct Slot {
    /// Which use of the place this is.
    pub(super) generation: u32,
    /// What is asked for.
    pub(super) op: Op,
    /// Keeps the file open.
    pub(super) fd: SharedFd,
    /// How urgent it is.
    pub(super) priority: Option<IoPriority>,
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
    pub(super) fn new(op: Op, fd: SharedFd, priority: Option<IoPriority>, waker: Option<Waker>) -> Self {
        Self {
            generation: 0,
            op,
            fd,
            priority,
            stage: Stage::Staged,
            waker,
            orphan: None,
            cancel_asked: false,
            expired: false,
        }
    }

    /// Whether this is the key's operation, and it waits.
    pub(super) fn is_waiting(&self, key: Key) -> bool {
        matches!(self.stage, Stage::Waiting) && key == Key::new(key.index() as u32, self.generation)
    }

    /// The token for a backend.
    pub(super) fn request(&self, key: Key) -> Request {
        Request::new(key, self.op.duplicate(), self.fd.share(), self.priority)
    }

    /// What ended, for the counters.
    pub(super) fn ended(&self, completion: &Completion) -> Ended {
        let (bytes, cancelled) = match completion {
            Completion::Done(Ok(bytes)) => (*bytes, false),
            Completion::Done(Err(_)) => (0, false),
            Completion::Cancelled => (0, true),
        };
        Ended { read: self.op.is_read(), bytes, cancelled }
    }
}
