//! What the table answers, to be acted on without its lock.

use crate::SharedFd;
use crate::completer::Completion;
use crate::payload::Orphan;
use crate::request::Request;
use std::task::Waker;

/// What becomes of a staged operation.
#[derive(Debug)]
pub(crate) enum Released {
    /// It is to be submitted.
    Run(Request),
    /// It waits for room.
    Wait,
    /// It has ended, because the table was closed; wake its future.
    Refused(Option<Waker>),
    /// Nothing: it was released before, or has gone.
    Not,
}

/// What a dropped future leaves.
#[derive(Debug)]
pub(crate) enum Detached {
    /// Nothing: it had not started.
    Unstarted,
    /// Nothing: it waited for room.
    Waited,
    /// The result that nobody took.
    Ended(Completion),
    /// Its memory, which the backend uses: it must be left with [`Table::abandon`].
    Running,
}

/// What a future finds when it looks.
#[derive(Debug)]
pub(crate) enum Look {
    /// It has ended, and the entry is gone.
    Done {
        /// How it ended.
        completion: Completion,
        /// Whether its time was up.
        expired: bool,
        /// Its file, to be released without a lock.
        fd: SharedFd,
        /// Whether it was to transfer bytes.
        transfers: bool,
    },
    /// Not yet.
    Pending,
}

/// What to do for a cancel.
#[derive(Debug)]
pub(crate) enum CancelStep {
    /// Nothing: it has ended, or the key is stale.
    Nothing,
    /// It had not started, and has now ended; wake its future.
    Ended(Option<Waker>),
    /// The backend must be asked.
    AskBackend(Option<Waker>),
}

/// What a completion brings about, to be done without the lock.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Whom to wake.
    pub(crate) waker: Option<Waker>,
    /// The memory and the file that a dropped future left behind.
    pub(crate) orphan: Option<(Box<dyn Orphan>, Completion, SharedFd)>,
    /// The operation that now has room.
    pub(crate) next: Option<Request>,
}

/// What ended, for the counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Whether it was a read.
    pub(crate) read: bool,
    /// Bytes transferred.
    pub(crate) bytes: usize,
    /// Whether it was cancelled.
    pub(crate) cancelled: bool,
}
