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
///
/// ```ignore-windows
/// use caio_core::{Backend, BackendKind, Completer, Context, Finished, Key, Opened, Request, Settings, View};
/// use std::os::unix::fs::FileExt;
/// use std::{io, sync::Arc, thread};
///
/// /// Carries each operation out in a thread of its own.
/// struct Simple(Completer);
///
/// impl Backend for Simple {
///     fn kind(&self) -> BackendKind {
///         BackendKind::Thread
///     }
///
///     fn submit(&self, mut request: Request) -> Result<(), Finished> {
///         let completer = self.0.clone();
///         thread::spawn(move || {
///             let result = carry_out(&mut request);
///             completer.deliver(request.finish(result));
///         });
///         Ok(())
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
///     Ok(Opened { backend: Arc::new(Simple(completer)), max_requests: settings.max_requests, driver: None })
/// })?;
/// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
/// let data = futures::executor::block_on(async {
///     ctx.write("Hello world", &fd, 0).await.0?;
///     ctx.read(32, &fd, 6).await
/// })?;
/// assert_eq!(data, b"world");
/// # Ok(()) }
/// ```
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

    /// Several transfers past the page cache are under way at a time: it may deliver them in groups from now on.
    fn gather(&self) {}

    /// Whether transfers past the page cache are delivered in groups now. Then the future of one does not look for its end; what it
    /// submits is flushed at its second poll ([`flush_group`](Self::flush_group)), when the executor's other tasks have submitted
    /// theirs; and when it has its result it calls [`harvest`](Self::harvest) for the rest of the group. Within milliseconds the
    /// backend does both by itself, for futures that are not polled.
    fn is_gathering(&self) -> bool {
        false
    }

    /// What [`submit`](Self::submit) has queued goes on its way with its group.
    fn flush_group(&self) {
        self.flush();
    }

    /// Tries to end an operation early; it is delivered either way. The key may be stale.
    fn cancel(&self, key: Key);

    /// The last handle of the context is gone: end what runs, deliver it, free everything; by itself.
    fn shutdown(&self);
}

/// What a backend's opening function gives.
///
/// ```
/// use caio_core::{Backend, Opened};
/// use std::sync::Arc;
/// /// What an opening function gives whose kernel had no room for more than `got` operations.
/// fn opened(backend: Arc<dyn Backend>, wanted: usize, got: usize) -> Opened {
///     Opened { backend, max_requests: wanted.min(got), driver: None }
/// }
/// ```
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
///
/// ```ignore-windows
/// use caio_core::{Completer, Drive, Finished};
/// use std::io::{self, Read};
/// use std::os::fd::{AsFd, BorrowedFd};
/// use std::os::unix::net::UnixStream;
/// use std::sync::{Mutex, mpsc::Receiver};
/// use std::time::{Duration, Instant};
///
/// /// What the workers have finished waits here.
/// struct Inbox {
///     finished: Mutex<Receiver<Finished>>,
///     /// Has a byte for each of them.
///     bell: UnixStream,
///     completer: Completer,
/// }
///
/// impl Drive for Inbox {
///     fn as_fd(&self) -> BorrowedFd<'_> {
///         self.bell.as_fd()
///     }
///
///     fn reap(&mut self, max: usize, min: usize, timeout: Option<Duration>) -> io::Result<usize> {
///         let deadline = Instant::now() + timeout.unwrap_or(Duration::from_secs(3600)).min(Duration::from_secs(3600));
///         let mut reaped = 0;
///         while reaped < max {
///             let must_wait = reaped < min && self.completer.in_flight() > 0;
///             let left = if must_wait { deadline - Instant::now() } else { Duration::ZERO };
///             let Ok(finished) = self.finished.get_mut().unwrap().recv_timeout(left) else { break };
///             self.bell.read_exact(&mut [0])?;
///             self.completer.deliver(finished);
///             reaped += 1;
///         }
///         Ok(reaped)
///     }
/// }
/// #
/// # use caio_core::{Backend, BackendKind, Context, Key, Opened, Request, Settings};
/// # use std::io::Write;
/// # use std::sync::{Arc, mpsc::{Sender, channel}};
/// # struct Sink(Sender<Finished>, UnixStream);
/// # impl Backend for Sink {
/// #     fn kind(&self) -> BackendKind { BackendKind::Thread }
/// #     fn submit(&self, request: Request) -> Result<(), Finished> {
/// #         let bytes = request.op().bytes();
/// #         self.0.send(request.finish(Ok(bytes))).unwrap();
/// #         (&self.1).write_all(&[0]).unwrap();
/// #         Ok(())
/// #     }
/// #     fn cancel(&self, _key: Key) {}
/// #     fn shutdown(&self) {}
/// # }
/// # fn main() -> io::Result<()> {
/// # let (sender, receiver) = channel();
/// # let (ringer, bell) = UnixStream::pair()?;
/// # let (ctx, driver) = Context::open(&Settings::default(), BackendKind::Thread, move |settings, completer| {
/// #     let backend = Arc::new(Sink(sender, ringer));
/// #     let inbox = Inbox { finished: Mutex::new(receiver), bell, completer };
/// #     Ok(Opened { backend, max_requests: settings.max_requests, driver: Some(Box::new(inbox)) })
/// # })?;
/// # let mut driver = driver.unwrap();
/// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
/// # let write = ctx.write(b"Hello world", &fd, 0).submit();
/// # assert_eq!(ctx.in_flight(), 1);
/// # assert_eq!(driver.reap(8, 1, None)?, 1);
/// # assert_eq!(driver.reap(8, 1, None)?, 0);
/// # assert_eq!(futures::executor::block_on(write).0?, 11);
/// # Ok(()) }
/// ```
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

/// Announces a backend, so that [`Context::builder`](crate::Context::builder) can choose it wherever its crate is linked in.
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
