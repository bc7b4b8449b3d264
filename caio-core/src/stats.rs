//! Counters of what a context has done.

use crate::completer::Completion;
use crate::support::thread_number;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How many sets of counters there are, so that threads seldom share a cache line.
const SHARDS: usize = 8;

/// What a context has done since it was made. The counters are read one after the other, not at one
/// instant.
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
    /// Of these, operations that were finished in their caller's thread, without the kernel's queue
    /// or a worker.
    pub inline: u64,
    /// Operations that a backend handed to a thread, because its kernel interface could not do them
    /// asynchronously.
    pub fallback: u64,
    /// Operations that had to wait for room.
    pub waited: u64,
    /// Operations that ended because they were cancelled or their time was up.
    pub cancelled: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// Operations that a shutdown gave up after a minute, because the kernel did not end them.
    /// Their memory is leaked.
    pub leaked: u64,
}

/// What is counted: see the fields of [`Stats`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    /// Without those that were finished inline.
    Submitted,
    /// Without those that were finished inline.
    Completed,
    Inline,
    Fallback,
    Waited,
    Cancelled,
    BytesRead,
    BytesWritten,
    Leaked,
}

/// How many things are counted.
const COUNTS: usize = Count::Leaked as usize + 1;

/// The counters, in shards; each thread keeps to one.
#[derive(Debug)]
pub(crate) struct Counters([Shard; SHARDS]);

/// One set of counters, alone in its cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Shard([AtomicU64; COUNTS]);

impl Shard {
    /// Adds to a counter.
    #[inline]
    fn add(&self, what: Count, amount: u64) {
        self.0[what as usize].fetch_add(amount, Ordering::Relaxed);
    }

    /// Adds bytes that were transferred.
    #[inline]
    fn transferred(&self, read: bool, bytes: usize) {
        if bytes != 0 {
            self.add(if read { Count::BytesRead } else { Count::BytesWritten }, bytes as u64);
        }
    }
}

impl Counters {
    /// All zero.
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Shard(std::array::from_fn(|_| AtomicU64::new(0)))))
    }

    /// The shard of the calling thread.
    #[inline]
    fn shard(&self) -> &Shard {
        &self.0[thread_number() % SHARDS]
    }

    /// Adds to a counter.
    pub(crate) fn add(&self, what: Count, amount: usize) {
        self.shard().add(what, amount as u64);
    }

    /// An operation was finished in its caller's thread: started and ended, but that is added only
    /// when the sums are made.
    #[inline]
    pub(crate) fn inline(&self, read: bool, bytes: usize) {
        let shard = self.shard();
        shard.add(Count::Inline, 1);
        shard.transferred(read, bytes);
    }

    /// Bytes were transferred by an operation that has not ended.
    #[inline]
    pub(crate) fn transferred(&self, read: bool, bytes: usize) {
        self.shard().transferred(read, bytes);
    }

    /// An operation has ended.
    pub(crate) fn ended(&self, read: bool, completion: &Completion) {
        let shard = self.shard();
        shard.add(Count::Completed, 1);
        match completion {
            Completion::Done(Ok(bytes)) => shard.transferred(read, *bytes),
            Completion::Done(Err(_)) => {}
            Completion::Cancelled => shard.add(Count::Cancelled, 1),
        }
    }

    /// The sums.
    pub(crate) fn snapshot(&self) -> Stats {
        let sum = |what: Count| -> u64 {
            self.0.iter().map(|shard| shard.0[what as usize].load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
        };
        let inline = sum(Count::Inline);
        Stats {
            submitted: sum(Count::Submitted).wrapping_add(inline),
            completed: sum(Count::Completed).wrapping_add(inline),
            inline,
            fallback: sum(Count::Fallback),
            waited: sum(Count::Waited),
            cancelled: sum(Count::Cancelled),
            bytes_read: sum(Count::BytesRead),
            bytes_written: sum(Count::BytesWritten),
            leaked: sum(Count::Leaked),
        }
    }
}
