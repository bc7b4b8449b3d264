//! Who runs and who waits for room: a bound, and a line of those beyond it, first come first
//! served.

use crate::key::Key;
use crate::op::OpClass;
use std::collections::VecDeque;

/// How many stale entries a line may hold before it is swept.
const MAX_STALE: usize = 64;

/// What shares a bound. What may wait for ever has a bound of its own, so that what cannot never
/// waits for it; and reads have one apart from writes, because a write may be what a read waits
/// for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Transfers of files, and syncs.
    Files = 0,
    /// Reads of streams.
    StreamReads = 1,
    /// Writes to streams.
    StreamWrites = 2,
}

impl Bound {
    /// How many there are.
    pub(super) const COUNT: usize = 3;

    /// The bound of an operation.
    pub(crate) fn of(class: OpClass, reads: bool) -> Self {
        match class {
            OpClass::Stream if reads => Self::StreamReads,
            OpClass::Stream => Self::StreamWrites,
            OpClass::CachedRead | OpClass::BufferedWrite | OpClass::Direct | OpClass::Position | OpClass::Sync => {
                Self::Files
            }
        }
    }
}

/// One bound, and the line of those beyond it.
#[derive(Debug)]
pub(super) struct Admission {
    /// How many may run.
    pub(super) limit: usize,
    /// How many the backend has out.
    pub(super) running: usize,
    /// How many wait for room.
    pub(super) waiting: usize,
    /// Those that wait, the first at the front. Entries whose operation has gone are stale.
    line: VecDeque<Key>,
    /// Whether an operation of an ordered class has left the line and the backend does not have it
    /// yet. Until then nobody else is admitted: another thread could be faster.
    submitting: bool,
}

impl Admission {
    /// Nobody is there.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, running: 0, waiting: 0, line: VecDeque::new(), submitting: false }
    }

    /// Whether a newcomer may run: nobody overtakes those who wait.
    pub(super) fn has_room(&self) -> bool {
        self.running < self.limit && self.waiting == 0 && !self.submitting
    }

    /// One has to wait.
    pub(super) fn wait(&mut self, key: Key) {
        self.waiting += 1;
        self.line.push_back(key);
    }

    /// The first of those who wait, if there is room. `class_of` is `None` where an entry is stale.
    /// [`submitted`](Self::submitted) follows one of an ordered class.
    pub(super) fn next(&mut self, class_of: impl Fn(Key) -> Option<OpClass>) -> Option<Key> {
        while self.running < self.limit && !self.submitting {
            let key = self.line.pop_front()?;
            if let Some(class) = class_of(key) {
                self.waiting -= 1;
                self.running += 1;
                self.submitting = class.is_ordered();
                return Some(key);
            }
        }
        None
    }

    /// The backend has what [`next`](Self::next) gave.
    pub(super) fn submitted(&mut self) {
        self.submitting = false;
    }

    /// Nobody waits any longer.
    pub(super) fn clear(&mut self) {
        self.waiting = 0;
        self.line.clear();
    }

    /// One waits no longer; its entry is stale, and stale ones are swept before they pile up.
    pub(super) fn forget(&mut self, is_waiting: impl Fn(Key) -> bool) {
        self.waiting -= 1;
        if self.line.len() > 2 * self.waiting + MAX_STALE {
            self.line.retain(|key| is_waiting(*key));
        }
    }
}
