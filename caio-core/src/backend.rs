//! What a backend is to the rest of the library.

use crate::request::{Attempt, Attempted, Finished, Request};
use crate::{Completer, Key, Refusal};
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Carries out operations. One file of each backend crate implements it.
///
/// The way of an operation: [`attempt`](Self::attempt) may finish it on the spot; else core enters it in the table and
/// gives it to [`submit`](Self::submit), then [`flush`](Self::flush)es; the backend delivers it through its [`Completer`]
/// from whatever thread sees the completion. Until a future parks, core calls [`harvest`](Self::harvest) at each of its polls;
/// from [`arm`](Self::arm) on the backend delivers by itself.
///
/// No method blocks, and none is called under a lock of core's. A backend holds none of its own locks when it
/// delivers, because that wakes tasks and may call `submit` for operations that waited for room.
pub trait Backend: Send + Sync + 'static {
    /// Which one it is.
    fn kind(&self) -> BackendKind;

    /// Finishes an operation here and now, if that takes no longer than copying 64 KiB; touches no lock on a hit.
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        attempt.missed()
    }

    /// Takes an operation over. At most [`Context::max_requests`](crate::Context::max_requests) are out at any time.
    /// It must not call [`Completer::deliver`] for this request in the caller's stack.
    ///
    /// # Errors
    /// The request, ended, where it can be seen at once that it ends; core delivers it.
    fn submit(&self, request: Request) -> Result<(), Finished>;

    /// What [`submit`](Self::submit) has queued reaches the kernel or the workers. Called by core after one or more submissions;
    /// called by the backend itself after its deliveries, which may have submitted.
    fn flush(&self) {}

    /// Delivers completions that are there already.
    fn harvest(&self) {}

    /// A future parks: a completion must now be delivered without anybody calling [`harvest`](Self::harvest).
    /// Completions that arrived before this call count as well.
    fn arm(&self) {}

    /// Tries to end an operation early; it is delivered either way. The key may be stale.
    fn cancel(&self, key: Key);

    /// The last handle of the context is gone: end what runs, deliver it, free everything; by itself.
    fn shutdown(&self);
}

/// What a backend's opening function gives.
pub struct Opened {
    /// The backend.
    pub backend: Arc<dyn Backend>,
    /// The bound that it really has: that of the settings, or less where the system had no more to give.
    pub max_requests: usize,
    /// How completions are taken, where somebody else's event loop drives it.
    pub driver: Option<Box<dyn Drive>>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("kind", &self.backend.kind())
            .field("max_requests", &self.max_requests)
            .finish_non_exhaustive()
    }
}

/// Takes completions on behalf of somebody else's event loop.
pub trait Drive: Send + Sync + 'static {
    /// A descriptor that polls readable while completions wait.
    #[cfg(unix)]
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_>;

    /// Delivers between `min` and `max` completions, waiting up to `timeout` for `min` of them (for ever where it is `None`).
    ///
    /// # Errors
    /// Those of the system call that waits.
    fn reap(&mut self, max: usize, min: usize, timeout: Option<Duration>) -> io::Result<usize>;
}

/// What every backend is opened with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The bound on operations in flight.
    pub max_requests: usize,
    /// Whether somebody else's event loop takes the completions: then no thread of ours does.
    pub driven: bool,
    /// Whether only the portable implementation may be used.
    pub portable: bool,
    /// The most threads of a pool, where its user chose.
    pub pool_size: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_requests: crate::DEFAULT_MAX_REQUESTS, driven: false, portable: false, pool_size: None }
    }
}

/// A backend that is linked in, announced with [`announce!`](crate::announce).
#[derive(Debug)]
pub struct Candidate {
    /// Which one it is.
    pub kind: BackendKind,
    /// Opens it, or says why it cannot be used here.
    pub open: fn(&Settings, Completer) -> Result<Opened, Refusal>,
}

inventory::collect!(Candidate);

/// Announces a backend, so that [`Context::builder`](crate::Context::builder) can choose it wherever its crate is linked in.
#[macro_export]
macro_rules! announce {
    ($candidate:expr) => {
        $crate::inventory::submit! { $candidate }
    };
}

/// The backends by name.
///
/// ```
/// use caio_core::BackendKind;
/// assert_eq!(BackendKind::Uring.to_string(), "uring");
/// assert_eq!("linux".parse::<BackendKind>().unwrap(), BackendKind::Aio);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BackendKind {
    /// io_uring, Linux 5.6 and later.
    Uring,
    /// Linux kernel AIO, Linux 4.18 and later.
    Aio,
    /// A pool of threads, everywhere.
    Thread,
}

impl BackendKind {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Uring, Self::Aio, Self::Thread];

    /// The name that [`Display`](fmt::Display) prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Aio => "aio",
            Self::Thread => "thread",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BackendKind {
    type Err = io::Error;

    fn from_str(name: &str) -> io::Result<Self> {
        crate::select::Choice::from_name(name).map(|choice| choice.kind)
    }
}

const _: fn(&dyn Backend, &dyn Drive) = |_, _| {};
