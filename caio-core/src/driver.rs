//! Completions taken by an external event loop.

use crate::backend::Drive;
use crate::error;
#[cfg(unix)]
use crate::platform;
use crate::shared::Shared;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Delivers the completions of a context made by
/// [`Builder::build_with_driver`](crate::Builder::build_with_driver), for which no thread of ours
/// does so. Its descriptor polls readable while completions wait.
///
/// Keep it for as long as the context. Once it is dropped, operations that can be cancelled are,
/// the others end by themselves, and new ones fail with an error that says so.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let (ctx, mut driver) = caio_core::Context::builder().build_with_driver()?;
/// // where the event loop says that `driver.as_fd()` is readable:
/// let delivered = driver.reap(usize::MAX, 0, None)?;
/// # Ok(()) }
/// ```
pub struct Driver {
    /// The backend's side. Nobody else owns it.
    drive: Arc<dyn Drive>,
    /// Knows the process that it belongs to.
    shared: Arc<Shared>,
}

impl Driver {
    /// Wraps a backend's side.
    pub(crate) fn new(drive: Arc<dyn Drive>, shared: Arc<Shared>) -> Self {
        Self { drive, shared }
    }

    /// Delivers between `min` and `max` completions, and returns how many. It waits for `min`, or
    /// for as many as are in flight where that is fewer, but no longer than `timeout`; with a `min`
    /// of 0 it does not wait.
    ///
    /// # Errors
    /// Those of the system call that waits; an error of its own in a child process.
    ///
    /// ```
    /// fn turn(driver: &mut caio_core::Driver) -> std::io::Result<()> {
    ///     // Up to 10 ms for the first; no more than 64 at a time, so that the loop's other sources have their turn.
    ///     let delivered = driver.reap(64, 1, Some(std::time::Duration::from_millis(10)))?;
    ///     println!("{delivered} futures can go on");
    ///     Ok(())
    /// }
    /// ```
    pub fn reap(&mut self, max: usize, min: usize, timeout: Option<Duration>) -> io::Result<usize> {
        if self.shared.is_inherited() {
            return Err(error::inherited());
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let min = min.min(max);
        let mut reaped = 0;
        loop {
            reaped += self.drive.take(max - reaped)?;
            if reaped >= min || self.shared.table.running() == 0 {
                return Ok(reaped);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(reaped);
            }
            let pause = self.drive.pause();
            self.wait([left, pause].into_iter().flatten().min())?;
        }
    }

    /// Waits until the descriptor is readable, nothing is in flight, or the time is up.
    #[cfg(unix)]
    fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.shared.while_driver_waits(|| platform::wait_readable(self.drive.as_fd(), timeout))
    }

    /// There are no drivers here.
    #[cfg(not(unix))]
    fn wait(&self, _timeout: Option<Duration>) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A descriptor that polls readable while completions wait: for epoll, tokio's `AsyncFd`,
    /// async-io, asyncio.
    ///
    /// ```
    /// use std::os::fd::{AsRawFd, RawFd};
    /// /// What to register with epoll, for reading.
    /// fn interest(driver: &caio_core::Driver) -> RawFd {
    ///     driver.as_fd().as_raw_fd()
    /// }
    /// ```
    #[cfg(unix)]
    #[must_use]
    pub fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.drive.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Driver {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.drive.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Driver {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.drive.as_fd().as_raw_fd()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.shared.is_inherited() {
            // The parent's locks may be held in this copy of them: leak it all.
            std::mem::forget((Arc::clone(&self.drive), Arc::clone(&self.shared)));
            return;
        }
        self.shared.lose_driver();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
