//! Counters of what a context has done.

use crate::completer::Completion;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How many sets of counters there are, so that threads seldom share a cache line.
const SHARDS: usize = 8;

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
    /// Operations that a shutdown gave up after a minute, because the kernel did not end them. Their memory is leaked.
    pub leaked: u64,
}

/// The counters, one set a shard.
#[derive(Debug)]
pub(crate) struct Counters {
    /// The sets; each thread keeps to one.
    shards: [Shard; SHARDS],
}

/// One set of counters, alone in its cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
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
    /// See [`Stats::leaked`].
    leaked: AtomicU64,
}

impl Shard {
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
            leaked: AtomicU64::new(0),
        }
    }
}

impl Shard {
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
        Self { shards: std::array::from_fn(|_| Shard::new()) }
    }

    /// The set of the calling thread.
    #[inline]
    fn shard(&self) -> &Shard {
        &self.shards[crate::support::thread_number() % SHARDS]
    }

    /// An operation was started.
    pub(crate) fn submitted(&self) {
        add(&self.shard().submitted, 1);
    }

    /// An operation has to wait.
    pub(crate) fn waited(&self) {
        add(&self.shard().waited, 1);
    }

    /// An operation took another route.
    pub(crate) fn fallback(&self) {
        add(&self.shard().fallback, 1);
    }

    /// Operations were given up.
    pub(crate) fn leaked(&self, operations: usize) {
        add(&self.shard().leaked, operations as u64);
    }

    /// An operation was cancelled before it reached the backend.
    pub(crate) fn cancelled(&self) {
        let shard = self.shard();
        add(&shard.completed, 1);
        add(&shard.cancelled, 1);
    }

    /// An operation was finished in its caller's thread: started and ended, but that is added only when the sums are made.
    #[inline]
    pub(crate) fn inline(&self, read: bool, bytes: usize) {
        let shard = self.shard();
        add(&shard.inline, 1);
        shard.transferred(read, bytes);
    }

    /// Bytes were read or written by an operation that has not ended.
    #[inline]
    pub(crate) fn transferred(&self, read: bool, bytes: usize) {
        self.shard().transferred(read, bytes);
    }

    /// An operation has ended.
    pub(crate) fn ended(&self, reads: bool, completion: &Completion) {
        let shard = self.shard();
        add(&shard.completed, 1);
        match completion {
            Completion::Done(Ok(bytes)) => shard.transferred(reads, *bytes),
            Completion::Done(Err(_)) => {}
            Completion::Cancelled => add(&shard.cancelled, 1),
        }
    }

    /// The sums.
    pub(crate) fn snapshot(&self) -> Stats {
        let sum = |counter: fn(&Shard) -> &AtomicU64| -> u64 {
            self.shards.iter().map(|shard| counter(shard).load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
        };
        let inline = sum(|shard| &shard.inline);
        Stats {
            submitted: sum(|shard| &shard.submitted).wrapping_add(inline),
            completed: sum(|shard| &shard.completed).wrapping_add(inline),
            inline,
            fallback: sum(|shard| &shard.fallback),
            waited: sum(|shard| &shard.waited),
            cancelled: sum(|shard| &shard.cancelled),
            bytes_read: sum(|shard| &shard.bytes_read),
            bytes_written: sum(|shard| &shard.bytes_written),
            leaked: sum(|shard| &shard.leaked),
        }
    }
}
