//! What the table answers, to be acted on without its lock.

use crate::SharedFd;
use crate::completer::Completion;
use crate::payload::Orphan;
use crate::request::Request;
use std::task::Waker;

/// What becomes of a staged operation.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// It is to be submitted.
    Run(Request),
    /// It waits for room.
    Queued,
    /// It was admitted before, or has ended because the table was closed; wake its future.
    Gone(Option<Waker>),
}

/// How an operation ended, for its future. Its entry is gone.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) completion: Completion,
    /// Whether its time was up.
    pub(crate) expired: bool,
    /// Whether the timer has a deadline of it.
    pub(crate) timed: bool,
    /// Its file, to be released without a lock.
    pub(crate) fd: SharedFd,
    /// Whether it was to transfer bytes.
    pub(crate) transfers: bool,
}

/// What became of the operation of a dropped future.
#[derive(Debug)]
pub(crate) enum Abandoned {
    /// The backend has it: its memory stays in the table. A read is to be cancelled, since nobody
    /// will miss it.
    Running {
        /// Whether it is a read.
        reads: bool,
    },
    /// It had ended.
    Ended(Ended),
    /// It waited for room, or had not been submitted.
    NeverRan {
        /// Whether it waited, so that it counts as cancelled.
        waited: bool,
    },
}

/// What others are to be told, without the lock.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Whom to wake.
    pub(crate) waker: Option<Waker>,
    /// Whether the backend is to be asked to cancel the operation.
    pub(crate) ask_backend: bool,
    /// Whether nothing runs any more.
    pub(crate) idle: bool,
    /// Whether the timer has a deadline that no longer matters.
    pub(crate) timed: bool,
    /// What is rarer.
    pub(crate) rare: Option<Box<Rare>>,
}

/// What others are seldom to be told.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// The memory and the file that a dropped future left behind.
    pub(crate) orphan: Option<(Box<dyn Orphan>, Completion, SharedFd)>,
    /// Whom to wake because nothing runs and nothing waits.
    pub(crate) drained: Vec<(u64, Waker)>,
}
