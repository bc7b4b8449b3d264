//! Counters of what a context has done.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::table::Ended;

/// How many sets of counters there are, so that threads seldom share a cache line.
const LANES: usize = 8;

/// What a context has done since it was made. The counters are read one after the other, not at one instant.
///
/// ```
/// let stats = caio_core::Stats::default();
/// assert_eq!(stats.submitted, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Operations that were started.
    pub submitted: u64,
    /// Operations that have ended, in whatever way.
    pub completed: u64,
    /// Of these, operations that were finished in their caller's thread, without the kernel's queue or a worker.
    pub inline: u64,
    /// Operations that a backend handed to a thread, because its kernel interface could not do them asynchronously.
    pub fallback: u64,
    /// Operations that had to wait for room.
    pub waited: u64,
    /// Operations that ended because they were cancelled or their time was up.
    pub cancelled: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
}

/// The counters, one set a lane.
#[derive(Debug)]
pub(crate) struct Counters {
    /// The sets; each thread keeps to one.
    lanes: [Lane; LANES],
}

/// One set of counters, alone in its cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Lane {
    /// See [`Stats::submitted`], without those of `inline`.
    submitted: AtomicU64,
    /// See [`Stats::completed`], without those of `inline`.
    completed: AtomicU64,
    /// See [`Stats::inline`].
    inline: AtomicU64,
    /// See [`Stats::fallback`].
    fallback: AtomicU64,
    /// See [`Stats::waited`].
    waited: AtomicU64,
    /// See [`Stats::cancelled`].
    cancelled: AtomicU64,
    /// See [`Stats::bytes_read`].
    bytes_read: AtomicU64,
    /// See [`Stats::bytes_written`].
    bytes_written: AtomicU64,
}

impl Lane {
    /// All zero.
    fn new() -> Self {
        Self {
            submitted: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            inline: AtomicU64::new(0),
            fallback: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
        }
    }
}

impl Lane {
    /// Bytes were read or written.
    #[inline]
    fn transferred(&self, read: bool, bytes: usize) {
        if bytes != 0 {
            add(if read { &self.bytes_read } else { &self.bytes_written }, bytes as u64);
        }
    }
}

/// Counts.
fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

impl Counters {
    /// All zero.
    pub(crate) fn new() -> Self {
        Self { lanes: std::array::from_fn(|_| Lane::new()) }
    }

    /// The set of the calling thread.
    #[inline]
    fn lane(&self) -> &Lane {
        use std::sync::atomic::AtomicUsize;
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
        }
        &self.lanes[LANE.try_with(|lane| *lane).unwrap_or(0)]
    }

    /// An operation was started.
    pub(crate) fn submitted(&self) {
        add(&self.lane().submitted, 1);
    }

    /// An operation has to wait.
    pub(crate) fn waited(&self) {
        add(&self.lane().waited, 1);
    }

    /// An operation took another route.
    pub(crate) fn fallback(&self) {
        add(&self.lane().fallback, 1);
    }

    /// An operation was cancelled before it reached the backend.
    pub(crate) fn cancelled(&self) {
        let lane = self.lane();
        add(&lane.completed, 1);
        add(&lane.cancelled, 1);
    }

    /// An operation was finished in its caller's thread: started and ended, but that is added only when the sums are made.
    #[inline]
    pub(crate) fn inline(&self, read: bool, bytes: usize) {
        let lane = self.lane();
        add(&lane.inline, 1);
        lane.transferred(read, bytes);
    }

    /// Bytes were read or written by an operation that has not ended.
    #[inline]
    pub(crate) fn transferred(&self, read: bool, bytes: usize) {
        self.lane().transferred(read, bytes);
    }

    /// An operation has ended.
    pub(crate) fn ended(&self, what: Ended) {
        let lane = self.lane();
        add(&lane.completed, 1);
        if what.cancelled {
            add(&lane.cancelled, 1);
        }
        lane.transferred(what.read, what.bytes);
    }

    /// The sums.
    pub(crate) fn snapshot(&self) -> Stats {
        let sum = |counter: fn(&Lane) -> &AtomicU64| -> u64 {
            self.lanes.iter().map(|lane| counter(lane).load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
        };
        let inline = sum(|lane| &lane.inline);
        Stats {
            submitted: sum(|lane| &lane.submitted).wrapping_add(inline),
            completed: sum(|lane| &lane.completed).wrapping_add(inline),
            inline,
            fallback: sum(|lane| &lane.fallback),
            waited: sum(|lane| &lane.waited),
            cancelled: sum(|lane| &lane.cancelled),
            bytes_read: sum(|lane| &lane.bytes_read),
            bytes_written: sum(|lane| &lane.bytes_written),
        }
    }
}
