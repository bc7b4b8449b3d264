//! How long a future looks again before it parks.

use crate::SharedFd;
use crate::op::Op;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

/// The longest that a future looks again on behalf of others instead of parking.
const BUDGET: Duration = Duration::from_micros(50);
/// The longest that one looks for itself: a fast disk takes that long.
const DISK_BUDGET: Duration = Duration::from_micros(100);
/// The longest that a first poll watches for the end of its operation.
const WATCH: Duration = Duration::from_micros(10);
/// How many times it looks between two looks at the clock.
const GLANCES: u32 = 8;
/// What a success adds to the score, and the score's ceiling divided by it.
const GAIN: u32 = 4;
/// The score's ceiling.
const CEILING: u32 = 64;
/// Out of how many operations one tries although trying has not paid off.
const PROBE: u32 = 64;

/// How many threads have a patience of their own.
const THREADS: usize = 4;

/// Whether something has paid off lately.
#[derive(Debug)]
struct Score {
    /// Grows with each success, shrinks with each failure.
    score: AtomicU32,
    /// How often it was left out since it was last tried.
    skipped: AtomicU32,
}

impl Score {
    /// Optimistic at first.
    fn new() -> Self {
        Self { score: AtomicU32::new(CEILING / 2), skipped: AtomicU32::new(0) }
    }

    /// Whether to try: now and then also where it has not paid off.
    fn is_worthwhile(&self) -> bool {
        if self.score.load(Ordering::Relaxed) != 0 {
            return true;
        }
        let skipped = self.skipped.load(Ordering::Relaxed);
        self.skipped.store(if skipped >= PROBE { 0 } else { skipped + 1 }, Ordering::Relaxed);
        skipped >= PROBE
    }

    /// Learns from a try.
    fn learn(&self, paid_off: bool) {
        let score = self.score.load(Ordering::Relaxed);
        let learnt = if paid_off { CEILING.min(score + GAIN) } else { score.saturating_sub(GAIN) };
        if learnt != score {
            self.score.store(learnt, Ordering::Relaxed);
        }
    }
}

/// Operations that take about as long as each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// What an operation that ends in its first poll counts, out of [`TURN`], by how long that may take.
    pub(crate) fn weight(self) -> u32 {
        match self {
            Self::Read | Self::Write => 2,
            Self::Direct | Self::Sync | Self::Stream => 64,
        }
    }
}

/// Whether looking again pays off, learnt from the operations before.
///
/// A park and a wake-up cost 20 microseconds and more, a look again costs one turn of the executor's queue, in which other
/// tasks run. Of the futures of a thread one looks again, which keeps the executor awake for all of them, as long as
/// operations end within the budget after one another; where they do not, it parks as the others do.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Whether looking again has paid off.
    looks: Score,
    /// Whether watching in the first poll has.
    watches: Score,
    /// Whether reading in two parts has.
    splits: Score,
    /// Whether a future looks.
    taken: AtomicBool,
    /// How many operations have ended.
    ended: AtomicU32,
}

/// A future's right to look again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gaze {
    /// Until when.
    until: Instant,
    /// How many operations had ended when it began.
    ended: u32,
    /// Whether it looks on behalf of all.
    alone: bool,
}

impl Patience {
    /// Optimistic at first.
    pub(crate) fn new() -> Self {
        Self {
            looks: Score::new(),
            watches: Score::new(),
            splits: Score::new(),
            taken: AtomicBool::new(false),
            ended: AtomicU32::new(0),
        }
    }

    /// Lets a future look again, unless another does or it does not pay off. Where `all` may look at once, each looks for itself.
    pub(crate) fn begin(&self, all: bool) -> Option<Gaze> {
        if cfg!(loom) || !has_many_cores() || !all && self.taken.load(Ordering::Relaxed) {
            return None;
        }
        if !self.looks.is_worthwhile() {
            return None;
        }
        let may = all || !self.taken.swap(true, Ordering::Relaxed);
        may.then(|| self.gaze(Instant::now(), !all))
    }

    /// Watches for the end of an operation that was the only one in flight when its first poll started it, unless that does not pay
    /// off; for about as long as a copy of 64 KiB takes. `ended` changes when an operation ends.
    pub(crate) fn watch(&self, ended: impl Fn() -> u32, before: u32) {
        let until = Instant::now() + WATCH;
        let paid_off = loop {
            if (0..GLANCES).any(|_| {
                std::hint::spin_loop();
                ended() != before
            }) {
                break true;
            }
            if Instant::now() >= until {
                break false;
            }
        };
        self.watches.learn(paid_off);
    }

    /// Whether to watch.
    pub(crate) fn may_watch(&self) -> bool {
        !cfg!(loom) && has_many_cores() && self.watches.is_worthwhile()
    }

    /// Whether to read in two parts.
    pub(crate) fn may_split(&self) -> bool {
        !cfg!(loom) && has_many_cores() && self.splits.is_worthwhile()
    }

    /// A read in two parts has ended.
    pub(crate) fn learn_split(&self, paid_off: bool) {
        self.splits.learn(paid_off);
    }

    /// Whether the future may go on looking.
    pub(crate) fn go_on(&self, gaze: Gaze) -> Option<Gaze> {
        let now = Instant::now();
        if now < gaze.until {
            return Some(gaze);
        }
        let fresh = self.gaze(now, gaze.alone);
        (gaze.alone && fresh.ended != gaze.ended).then(|| {
            self.looks.learn(true);
            fresh
        })
    }

    /// The future looks no more: its operation has ended, or (`wasted`) none has for too long.
    pub(crate) fn end(&self, gaze: Gaze, wasted: bool) {
        self.looks.learn(!wasted);
        if gaze.alone {
            self.taken.store(false, Ordering::Relaxed);
        }
    }

    /// An operation has ended.
    pub(crate) fn count(&self) {
        self.ended.store(self.ended.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// A right to look that begins now.
    fn gaze(&self, now: Instant, alone: bool) -> Gaze {
        let budget = if alone { BUDGET } else { DISK_BUDGET };
        Gaze { until: now + budget, ended: self.ended.load(Ordering::Relaxed), alone }
    }
}

/// The futures of a thread whose operations take about as long as each other: one of them looks again at a time.
#[derive(Debug)]
pub(crate) struct Patiences {
    /// By class and thread.
    seats: [[Patience; THREADS]; Class::COUNT],
}

/// Where a future looks from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// What its operation has in common with others.
    pub(crate) class: Class,
    /// Which thread it was started by; threads share when there are many.
    thread: usize,
}

impl Seat {
    /// The seat of an operation that the calling thread starts.
    pub(crate) fn of(op: &Op, fd: &SharedFd) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % THREADS;
        }
        Self { class: Class::of(op, fd), thread: THREAD.try_with(|thread| *thread).unwrap_or(0) }
    }

    /// The seat of an operation that has not started.
    pub(crate) const fn unknown() -> Self {
        Self { class: Class::Stream, thread: 0 }
    }
}

impl Patiences {
    /// Optimistic at first.
    pub(crate) fn new() -> Self {
        Self { seats: std::array::from_fn(|_| std::array::from_fn(|_| Patience::new())) }
    }

    /// That of a seat.
    pub(crate) fn of(&self, seat: Seat) -> &Patience {
        &self.seats[seat.class as usize][seat.thread]
    }
}

/// How much work a task may do in polls that end their operations at once, before it lets others run, in copies of at most 8 KiB:
/// that takes some 300 microseconds. A work-stealing executor answers a task that wakes itself by waking another thread.
const TURN: u32 = 256;

/// What an operation counts that was finished inline, by the bytes that were copied.
pub(crate) fn copy_weight(bytes: usize) -> u32 {
    1 + (bytes / 8192) as u32
}

thread_local! {
    /// How much has been done in a row, on this thread.
    static STREAK: Cell<u32> = const { Cell::new(0) };
}

/// Whether the task that polls has had its turn, and should let others run before it starts its next operation: a task whose
/// operations all end at once would otherwise never give its thread away.
#[inline]
pub(crate) fn is_turn_over() -> bool {
    let over = |streak: &Cell<u32>| streak.get() >= TURN && streak.replace(0) != 0;
    STREAK.try_with(over).unwrap_or(false)
}

/// An operation ended in its first poll, which counts so much, or did not.
#[inline]
pub(crate) fn count_turn(weight: Option<u32>) {
    let count = |streak: &Cell<u32>| streak.set(weight.map_or(0, |weight| streak.get() + weight));
    // A thread whose locals are gone has no executor to be fair to.
    let _gone = STREAK.try_with(count);
}

/// Whether somebody else can make progress while we look again.
fn has_many_cores() -> bool {
    static MANY: OnceLock<bool> = OnceLock::new();
    *MANY.get_or_init(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1))
}
