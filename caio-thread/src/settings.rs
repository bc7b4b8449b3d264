//! What a pool is made with.

use crate::Mailbox;
use std::time::Duration;

/// How many workers a core gets, where their number was not chosen: most of them wait for a disk.
const WORKERS_PER_CORE: usize = 4;
/// The fewest workers by default.
const MIN_WORKERS: usize = 4;
/// The most workers by default.
const MAX_WORKERS: usize = 64;

/// What a [`Pool`](crate::Pool) is made with.
///
/// ```
/// let mut settings = caio_thread::PoolSettings::default();
/// settings.max_threads = 2;
/// assert!(!settings.portable);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolSettings {
    /// The most workers, at least 1; by default four per core, between 4 and 64. One thread that
    /// waits for streams comes on top.
    pub max_threads: usize,
    /// Whether only the portable implementation may be used.
    pub portable: bool,
    /// Whether syncs of one file that wait at the same time are served by one system call.
    pub coalesce_syncs: bool,
    /// How long a thread without work stays before it ends.
    pub linger: Duration,
    /// Where completions go, where an external event loop takes them; else workers deliver them.
    pub mailbox: Option<Mailbox>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_threads: (caio_core::support::cores() * WORKERS_PER_CORE).clamp(MIN_WORKERS, MAX_WORKERS),
            portable: false,
            coalesce_syncs: true,
            linger: Duration::from_secs(5),
            mailbox: None,
        }
    }
}
