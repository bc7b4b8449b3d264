//! How long a future looks again before it parks.

use crate::SharedFd;
use crate::op::Op;
use crate::sync::atomic::{AtomicU32, Ordering};
use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The longest that a future looks again instead of parking.
const BUDGET: Duration = Duration::from_micros(50);
/// What a success adds to the score, and the score's ceiling divided by it.
const GAIN: u32 = 4;
/// The score's ceiling.
const CEILING: u32 = 64;
/// Out of how many operations one tries although trying has not paid off.
const PROBE: u32 = 64;

/// Operations that take about as long as each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    /// Reads through the page cache that missed it.
    Read,
    /// Writes through the page cache.
    Write,
    /// Transfers past the page cache.
    Direct,
    /// Syncs.
    Sync,
    /// What waits for somebody else: there is no telling how long.
    Stream,
}

impl Class {
    /// How many there are.
    pub(crate) const COUNT: usize = 5;

    /// The class of an operation.
    pub(crate) fn of(op: &Op, fd: &SharedFd) -> Self {
        if op.is_sync() {
            Self::Sync
        } else if fd.is_stream() {
            Self::Stream
        } else if fd.is_direct() {
            Self::Direct
        } else if op.is_read() {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// Whether looking again pays off, learnt from the operations before.
///
/// A park and a wake-up cost 20 microseconds and more, a look again costs one turn of the executor's queue, in which other
/// tasks run. Where operations end within the budget, futures look again; where they do not, they park at once.
#[derive(Debug)]
pub(crate) struct Patience {
    /// How well it has paid off: grows with each operation that ended within the budget, shrinks with each that did not.
    score: AtomicU32,
    /// Operations since the last one that tried.
    skipped: AtomicU32,
}

impl Patience {
    /// Optimistic at first.
    pub(crate) fn new() -> Self {
        Self { score: AtomicU32::new(CEILING / 2), skipped: AtomicU32::new(0) }
    }

    /// Until when a future may look again; `None` to park at once.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if cfg!(loom) || !has_many_cores() {
            return None;
        }
        if self.score.load(Ordering::Relaxed) == 0 {
            let skipped = self.skipped.load(Ordering::Relaxed);
            self.skipped.store(if skipped >= PROBE { 0 } else { skipped + 1 }, Ordering::Relaxed);
            if skipped < PROBE {
                return None;
            }
        }
        Instant::now().checked_add(BUDGET)
    }

    /// An operation ended while its future looked again.
    pub(crate) fn paid_off(&self) {
        let score = self.score.load(Ordering::Relaxed);
        if score < CEILING {
            self.score.store(score + GAIN, Ordering::Relaxed);
        }
    }

    /// An operation outlasted the budget.
    pub(crate) fn wasted(&self) {
        let score = self.score.load(Ordering::Relaxed);
        self.score.store(score.saturating_sub(GAIN), Ordering::Relaxed);
    }
}

/// How many operations in a row may end in their first poll before a task lets others run.
const TURN: u32 = 64;

thread_local! {
    /// How many operations in a row have ended in their first poll on this thread.
    static STREAK: Cell<u32> = const { Cell::new(0) };
}

/// Whether the task that polls has had its turn, and should let others run before it starts its next operation: a task whose
/// operations all end at once would otherwise never give its thread away.
pub(crate) fn is_turn_over() -> bool {
    let over = |streak: &Cell<u32>| streak.get() >= TURN && streak.replace(0) != 0;
    STREAK.try_with(over).unwrap_or(false)
}

/// An operation ended in its first poll, or did not.
pub(crate) fn count_turn(ended: bool) {
    let count = |streak: &Cell<u32>| streak.set(if ended { streak.get() + 1 } else { 0 });
    // A thread whose locals are gone has no executor to be fair to.
    let _gone = STREAK.try_with(count);
}

/// Whether somebody else can make progress while we look again.
fn has_many_cores() -> bool {
    static MANY: OnceLock<bool> = OnceLock::new();
    *MANY.get_or_init(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1))
}
