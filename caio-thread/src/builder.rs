//! How a context with this backend alone is made.

use crate::{PoolSettings, probe};
use caio_core::{BackendKind, Context, Driver, Settings};
use std::io;
use std::time::Duration;

/// The thread pool backend: works on every system.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let ctx = caio_thread::ThreadPool::builder().max_requests(64).pool_size(2).build()?;
/// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
/// let (written, _buf) = futures::executor::block_on(ctx.write(b"Hello world", &fd, 0));
/// assert_eq!(written?, 11);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ThreadPool;

impl ThreadPool {
    /// Chooses how the context is made.
    pub fn builder() -> Builder {
        Builder { settings: Settings::default(), pool: PoolSettings::default() }
    }
}

/// Makes a context with the thread pool backend; made by [`ThreadPool::builder`].
///
/// ```
/// let builder = caio_thread::ThreadPool::builder().portable(true).coalesce_syncs(false);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    /// What every backend is opened with.
    settings: Settings,
    /// What the pool alone is made with.
    pool: PoolSettings,
}

impl Builder {
    /// The bound on operations in flight, by default
    /// [`DEFAULT_MAX_REQUESTS`](caio_core::DEFAULT_MAX_REQUESTS).
    pub fn max_requests(mut self, max_requests: usize) -> Self {
        self.settings.max_requests = max_requests;
        self
    }

    /// The most workers, from 1 to [`MAX_POOL_SIZE`](caio_core::MAX_POOL_SIZE); by default four per
    /// core, between 4 and 64.
    pub fn pool_size(mut self, threads: usize) -> Self {
        self.settings.pool_size = Some(threads);
        self
    }

    /// Uses nothing that Linux alone has. Off by default.
    pub fn portable(mut self, portable: bool) -> Self {
        self.settings.portable = portable;
        self
    }

    /// Whether syncs of one [`SharedFd`](caio_core::SharedFd) that wait at the same time are served
    /// by one system call, which starts after each of them was asked for; its error reaches all of
    /// them. On by default. A sync with a priority has a call of its own.
    pub fn coalesce_syncs(mut self, coalesce: bool) -> Self {
        self.pool.coalesce_syncs = coalesce;
        self
    }

    /// How long a thread without work stays before it ends; by default 5 seconds.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.pool.linger = linger;
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    /// `InvalidInput` if a bound cannot be.
    pub fn build(self) -> io::Result<Context> {
        let (settings, pool) = (self.settings, self.pool);
        let open = |settings: &Settings, completer| probe::open_with(settings, pool, completer);
        Ok(Context::open(&settings, BackendKind::Thread, open)?.0)
    }

    /// Makes the context, and the driver with which an external event loop takes its completions.
    ///
    /// # Errors
    /// As [`build`](Self::build); `EMFILE` or `ENFILE` where there is no descriptor left for the
    /// driver; `Unsupported` on Windows.
    pub fn build_with_driver(self) -> io::Result<(Context, Driver)> {
        let (settings, pool) = (self.settings, self.pool);
        Context::open_driven(settings, BackendKind::Thread, |settings, completer| {
            probe::open_with(settings, pool, completer)
        })
    }
}
