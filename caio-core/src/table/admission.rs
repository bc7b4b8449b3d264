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

    /// Whether operations reach the backend in the order in which they came: a stream has one.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Self::StreamReads | Self::StreamWrites)
    }

    /// The bound of an operation.
    pub(super) fn of(class: OpClass, reads: bool) -> Self {
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
    /// Whether one that has waited is being submitted, where the order of submissions counts: until
    /// the backend has it, nobody else may be submitted.
    handing: bool,
}

impl Admission {
    /// Nobody is there.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, running: 0, waiting: 0, line: VecDeque::new(), handing: false }
    }

    /// Whether a newcomer may run: nobody overtakes those who wait.
    pub(super) fn has_room(&self) -> bool {
        self.running < self.limit && self.waiting == 0 && !self.handing
    }

    /// One has to wait.
    pub(super) fn wait(&mut self, key: Key) {
        self.waiting += 1;
        self.line.push_back(key);
    }

    /// The first of those who wait and are not stale, if there is room. `ordered` if nobody may be
    /// submitted before the backend has it: then [`handed`](Self::handed) follows.
    pub(super) fn next(&mut self, ordered: bool, is_waiting: impl Fn(Key) -> bool) -> Option<Key> {
        while self.running < self.limit && !self.handing {
            let key = self.line.pop_front()?;
            if is_waiting(key) {
                self.waiting -= 1;
                self.running += 1;
                self.handing = ordered;
                return Some(key);
            }
        }
        None
    }

    /// The backend has what [`next`](Self::next) gave.
    pub(super) fn handed(&mut self) {
        self.handing = false;
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
