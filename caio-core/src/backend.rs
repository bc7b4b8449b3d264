//! What a backend is to the rest of the library.

use crate::request::{Attempt, Attempted, Finished, Request};
use crate::{Completer, Key, Refusal, error};
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Carries out operations. One file of each backend crate implements it.
///
/// The way of an operation: [`attempt`](Self::attempt) may finish it on the spot; else core enters
/// it in the table and gives it to [`submit`](Self::submit), then [`flush`](Self::flush)es; the
/// backend delivers it through its [`Completer`] from whatever thread sees the completion. Until a
/// future parks, core calls [`reap`](Self::reap) at each of its polls; from [`arm`](Self::arm) on
/// the backend delivers by itself.
///
/// No method blocks, and none is called under a lock of core's. A backend holds none of its own
/// locks when it delivers, because that wakes tasks and may call `submit` for operations that
/// waited for room.
///
/// # Safety
/// Core believes a backend, and frees memory on its word. Whoever implements it promises that
/// - a [`Request`], and a [`Finished`] made of it, is delivered once, to the [`Completer`] that the
///   backend was opened with, and the backend serves no other context;
/// - nobody follows a request's pointers once it was delivered, and a request is not kept beyond
///   the backend's end;
/// - an [`Attempted`] answers the [`Attempt`] that it was made of, in the same call;
/// - at the end of [`shutdown`](Self::shutdown) each operation is delivered sooner or later, or the
///   completer is leaked.
///
/// ```ignore-windows
/// use caio_core::{
///     Backend, BackendKind, Completer, Context, Finished, Key, Opened, Request, Settings, Submitted, View,
/// };
/// use std::os::unix::fs::FileExt;
/// use std::{io, sync::Arc, thread};
///
/// /// Carries each operation out in a thread of its own.
/// struct Simple(Completer);
///
/// // SAFETY: each request is carried out by its thread, and delivered at its end to the completer of this backend.
/// unsafe impl Backend for Simple {
///     fn submit(&self, mut request: Request) -> Result<Submitted, Finished> {
///         let completer = self.0.clone();
///         thread::spawn(move || {
///             let result = carry_out(&mut request);
///             completer.deliver(request.finish(result));
///         });
///         Ok(Submitted::Alone)
///     }
///
///     fn cancel(&self, _key: Key) {} // what has begun is carried out
///
///     fn shutdown(&self) {} // each thread ends by itself
/// }
///
/// fn carry_out(request: &mut Request) -> io::Result<usize> {
///     let fd = request.fd().clone();
///     match request.view() {
///         View::Read(buf, offset) => fd.file().read_at(buf, offset),
///         View::Write(buf, offset) => fd.file().write_at(buf, offset),
///         View::Readv(..) | View::Writev(..) => Err(io::ErrorKind::Unsupported.into()),
///         View::Fsync => fd.file().sync_all().map(|()| 0),
///         View::Fdatasync => fd.file().sync_data().map(|()| 0),
///     }
/// }
///
/// # fn main() -> io::Result<()> {
/// let (ctx, _no_driver) = Context::open(&Settings::default(), BackendKind::Thread, |settings, completer| {
///     let backend = Arc::new(Simple(completer));
///     Ok(Opened { backend, kind: BackendKind::Thread, max_requests: settings.max_requests, driver: None })
/// })?;
/// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
/// let data = futures::executor::block_on(async {
///     ctx.write("Hello world", &fd, 0).await.0?;
///     ctx.read(32, &fd, 6).await
/// })?;
/// assert_eq!(data, b"world");
/// # Ok(()) }
/// ```
///
/// Safe code alone cannot be a backend:
///
/// ```compile_fail
/// struct Careless;
/// impl caio_core::Backend for Careless {
///     fn submit(&self, request: caio_core::Request) -> Result<caio_core::Submitted, caio_core::Finished> {
///         Err(request.finish(Ok(0)))
///     }
///     fn cancel(&self, _key: caio_core::Key) {}
///     fn shutdown(&self) {}
/// }
/// ```
pub unsafe trait Backend: Send + Sync + 'static {
    /// Finishes a [`CachedRead`](crate::OpClass::CachedRead) or a
    /// [`BufferedWrite`](crate::OpClass::BufferedWrite) here and now, if that takes no longer than
    /// copying [`MAX_INLINE_BYTES`](crate::MAX_INLINE_BYTES); touches no lock on a hit.
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        attempt.missed()
    }

    /// Takes an operation over. At most [`Context::max_requests`](crate::Context::max_requests)
    /// transfers and syncs are out at any time, and as many reads and as many writes of streams. It
    /// must not call [`Completer::deliver`] for this request in the caller's stack.
    ///
    /// # Errors
    /// The request, ended, where it can be seen at once that it ends; core delivers it.
    fn submit(&self, request: Request) -> Result<Submitted, Finished>;

    /// What [`submit`](Self::submit) has queued reaches the kernel or the workers. Called by core
    /// after one or more submissions; called by the backend itself after its deliveries, which may
    /// have submitted.
    fn flush(&self, _how: Flush) {}

    /// Delivers completions that are there already.
    fn reap(&self) {}

    /// A future parks: a completion must now be delivered without anybody calling
    /// [`reap`](Self::reap). Completions that arrived before this call count as well.
    fn arm(&self) {}

    /// Tries to end an operation early; it is delivered either way. The key may be stale.
    fn cancel(&self, key: Key);

    /// The last handle of the context, or its driver, is gone: end what runs, deliver it, free
    /// everything; by itself. May be called again.
    fn shutdown(&self);
}

/// How a backend has taken an operation over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It is completed by itself.
    Alone,
    /// It is completed together with others. Its future does not look for its end. It is flushed at
    /// its future's second poll ([`Flush::WithGroup`]), when the executor's other tasks have
    /// submitted theirs; and when the future has its result, it calls [`Backend::reap`] for the
    /// rest of the group. The backend flushes and delivers by itself for futures that are not
    /// polled.
    Grouped,
}

/// How what was submitted is to be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// At once.
    Now,
    /// With its group, if that is soon to be handed on.
    WithGroup,
}

/// What a backend's opening function gives.
pub struct Opened {
    /// The backend.
    pub backend: Arc<dyn Backend>,
    /// Which one it is.
    pub kind: BackendKind,
    /// The bound that it really has: that of the settings, or less where the system had no more to
    /// give.
    pub max_requests: usize,
    /// How completions are taken, where an external event loop drives it. Nobody else keeps it.
    pub driver: Option<Arc<dyn Drive>>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("kind", &self.kind)
            .field("max_requests", &self.max_requests)
            .finish_non_exhaustive()
    }
}

/// A backend's side of a [`Driver`](crate::Driver): completions for an external event loop.
pub trait Drive: Send + Sync + 'static {
    /// A descriptor that polls readable while completions wait.
    #[cfg(unix)]
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_>;

    /// Resets the descriptor, then delivers up to `max` completions that are there, and says how
    /// many. Where some may be left the descriptor polls readable again. It does not wait.
    ///
    /// # Errors
    /// Those of the system calls.
    fn take(&self, max: usize) -> io::Result<usize>;

    /// Makes the descriptor readable: what a driver waits for has ended elsewhere.
    fn notify(&self);

    /// How long a driver may wait before it takes again, where not all completions make the
    /// descriptor readable.
    fn pause(&self) -> Option<Duration> {
        None
    }
}

/// What every backend is opened with.
///
/// ```
/// let mut settings = caio_core::Settings::default();
/// settings.max_requests = 8;
/// settings.pool_size = Some(2);
/// assert!(!settings.driven && !settings.portable);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The bound on operations in flight.
    pub max_requests: usize,
    /// Whether an external event loop takes the completions: then no thread of ours does.
    pub driven: bool,
    /// Whether only the portable implementation may be used.
    pub portable: bool,
    /// The most threads of a pool, where its user chose.
    pub pool_size: Option<usize>,
    /// Whether futures may spin and yield before they park.
    pub spin: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_requests: crate::DEFAULT_MAX_REQUESTS, driven: false, portable: false, pool_size: None, spin: true }
    }
}

impl Settings {
    /// Refuses bounds that cannot be: the setting's name, and the error.
    pub(crate) fn check(&self) -> Result<(), (&'static str, io::Error)> {
        error::check_max_requests(self.max_requests).map_err(|error| ("max_requests", error))?;
        self.pool_size.map_or(Ok(()), error::check_pool_size).map_err(|error| ("pool_size", error))
    }
}

/// A backend that is linked in, announced with [`announce!`](crate::announce).
///
/// ```standalone_crate
/// use caio_core::{BackendKind, Candidate, Completer, Opened, Refusal, Settings};
/// fn open(_settings: &Settings, _completer: Completer) -> Result<Opened, Refusal> {
///     let error = std::io::ErrorKind::Unsupported.into();
///     Err(Refusal::new(BackendKind::Uring, "io_uring_setup", error, "use Linux 5.6 or later"))
/// }
/// caio_core::announce!(Candidate { kind: BackendKind::Uring, open });
///
/// # fn main() {
/// let probes = caio_core::probe();
/// assert_eq!(probes[0].backend(), BackendKind::Uring);
/// assert_eq!(probes[0].refusal().unwrap().remedy(), "use Linux 5.6 or later");
/// # }
/// ```
#[derive(Debug)]
pub struct Candidate {
    /// Which one it is.
    pub kind: BackendKind,
    /// Opens it, or says why it cannot be used here.
    pub open: fn(&Settings, Completer) -> Result<Opened, Refusal>,
}

inventory::collect!(Candidate);

/// Announces a backend, so that [`Context::builder`](crate::Context::builder) can choose it
/// wherever its crate is linked in.
///
/// ```standalone_crate
/// # use caio_core::{BackendKind, Candidate, Completer, Opened, Refusal, Settings};
/// # fn open(_settings: &Settings, _completer: Completer) -> Result<Opened, Refusal> {
/// #     let error = std::io::ErrorKind::Unsupported.into();
/// #     Err(Refusal::new(BackendKind::Thread, "test", error, "none"))
/// # }
/// caio_core::announce!(Candidate { kind: BackendKind::Thread, open });
///
/// # fn main() {
/// assert!(caio_core::probe().iter().any(|probe| probe.backend() == BackendKind::Thread));
/// # }
/// ```
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
    ///
    /// ```
    /// use caio_core::BackendKind;
    /// let names = BackendKind::ALL.map(BackendKind::name);
    /// assert_eq!(names, ["uring", "aio", "thread"]);
    /// ```
    pub const ALL: [Self; 3] = [Self::Uring, Self::Aio, Self::Thread];

    /// The name that [`Display`](fmt::Display) prints.
    ///
    /// ```
    /// use caio_core::BackendKind;
    /// assert_eq!(BackendKind::Aio.name().parse::<BackendKind>().unwrap(), BackendKind::Aio);
    /// ```
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
