//! How a context over io_uring alone is made.

use crate::buffers::BufPool;
use crate::probe;
use crate::routes::Routes;
use caio_core::{BackendKind, Context, Driver, Settings, SharedFd};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// The most rings of a context.
const MAX_SHARDS: usize = 256;

/// The io_uring backend by itself.
///
/// ```no_run
/// let ctx: caio_core::Context = caio_uring::Uring::builder().max_requests(256).build()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Uring(());

impl Uring {
    /// Chooses how a context over io_uring is made.
    pub fn builder() -> Builder {
        Builder { settings: Settings::default(), options: Options::default() }
    }
}

impl fmt::Debug for Uring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uring")
    }
}

/// What this backend can be made with, beyond what all can.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How long the kernel's submission thread stays awake without work, if there is to be one.
    pub(crate) sqpoll: Option<Duration>,
    /// Whether devices are polled for completions.
    pub(crate) iopoll: bool,
    /// Files to register.
    pub(crate) files: Vec<SharedFd>,
    /// Buffers to register.
    pub(crate) buffers: Vec<BufPool>,
    /// How many rings there are; 0 is the default.
    pub(crate) shards: usize,
    /// Which way operations take.
    pub(crate) routes: Routes,
    /// How many completions a ring has room for, where a test says so.
    pub(crate) completions: Option<u32>,
    /// Operations that the kernel is to lack, where a test says so.
    pub(crate) without: Vec<u8>,
    /// Counts the system calls that submit, for tests.
    pub(crate) submissions: Arc<AtomicUsize>,
    /// How long a shutdown waits for the kernel. What it has not let go of then is leaked.
    pub(crate) drain_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sqpoll: None,
            iopoll: false,
            files: Vec::new(),
            buffers: Vec::new(),
            shards: 0,
            routes: Routes::default(),
            completions: None,
            without: Vec::new(),
            submissions: Arc::default(),
            drain_limit: Duration::from_secs(60),
        }
    }
}

/// Chooses how a [`Context`] over io_uring is made; made by [`Uring::builder`].
///
/// ```no_run
/// use std::time::Duration;
/// let ctx = caio_uring::Uring::builder().max_requests(64).sqpoll(Duration::from_millis(10)).build()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    /// What every backend is opened with.
    settings: Settings,
    /// What this one is opened with.
    options: Options,
}

impl Builder {
    /// The bound on operations in flight, 1 to
    /// [`MAX_REQUESTS_LIMIT`](caio_core::MAX_REQUESTS_LIMIT). The context's may be less, where the
    /// kernel had no memory for more.
    pub fn max_requests(mut self, max_requests: usize) -> Self {
        self.settings.max_requests = max_requests;
        self
    }

    /// The most threads of the pool for what does not go to the ring; by default a few per core.
    pub fn pool_size(mut self, threads: usize) -> Self {
        self.settings.pool_size = Some(threads);
        self
    }

    /// Has a thread of the kernel's submit, which looks for work until there has been none for
    /// `idle`: no system call a submission, for a core that is busy meanwhile. Linux 5.11; before
    /// 5.13 it needs `CAP_SYS_NICE`. The thread acts with the credentials that the process had when
    /// the context was made.
    pub fn sqpoll(mut self, idle: Duration) -> Self {
        self.options.sqpoll = Some(idle);
        self
    }

    /// Polls devices for completions instead of waiting for their interrupts: less latency, for a
    /// core that is busy while anything is in flight. It serves reads and writes of `O_DIRECT`
    /// files on devices with poll queues; all else takes the pool.
    pub fn iopoll(mut self, iopoll: bool) -> Self {
        self.options.iopoll = iopoll;
        self
    }

    /// Registers files, which saves the kernel looking them up for each operation. They stay open
    /// for as long as the context.
    pub fn registered_files(mut self, files: impl IntoIterator<Item = SharedFd>) -> Self {
        self.options.files.extend(files);
        self
    }

    /// Registers a pool of buffers, which saves the kernel mapping them for each operation. They
    /// are locked in memory and count towards `RLIMIT_MEMLOCK`.
    pub fn registered_buffers(mut self, pool: &BufPool) -> Self {
        self.options.buffers.push(pool.clone());
        self
    }

    /// How many rings the context has, up to 256; each thread keeps to one, and the bound on
    /// operations in flight is that of all together. One by default, or if it is 0. More help where
    /// many threads have many small operations in flight at a time.
    pub fn shards(mut self, shards: usize) -> Self {
        self.options.shards = shards;
        self
    }

    /// Which way each kind of operation takes.
    pub fn routes(mut self, routes: Routes) -> Self {
        self.options.routes = routes;
        self
    }

    /// All that a backend is opened with, for tests.
    #[doc(hidden)]
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.settings = settings.clone();
        self
    }

    /// A completion queue that is too small, for tests.
    #[doc(hidden)]
    pub fn completions(mut self, entries: u32) -> Self {
        self.options.completions = Some(entries);
        self
    }

    /// A kernel that lacks an operation, for tests.
    #[doc(hidden)]
    pub fn without(mut self, opcode: u8) -> Self {
        self.options.without.push(opcode);
        self
    }

    /// What counts the system calls that submit, for tests.
    #[doc(hidden)]
    pub fn submissions(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.options.submissions)
    }

    /// How long a shutdown waits for the kernel, for tests.
    #[doc(hidden)]
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.options.drain_limit = limit;
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    /// The [`Refusal`](caio_core::Refusal), with what to do about it; `InvalidInput`, if a setting
    /// cannot be.
    pub fn build(self) -> io::Result<Context> {
        let (settings, options) = (self.settings, self.options.checked()?);
        let open = |settings: &Settings, completer| probe::open_with(settings, completer, options);
        Ok(Context::open(&settings, BackendKind::Uring, open).map(|(context, _)| context)?)
    }

    /// Makes the context, and the driver with which an external event loop takes its completions.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_with_driver(self) -> io::Result<(Context, Driver)> {
        let (settings, options) = (self.settings, self.options.checked()?);
        let open = |settings: &Settings, completer| probe::open_with(settings, completer, options);
        Context::open_driven(settings, BackendKind::Uring, open)
    }
}

impl Options {
    /// Refuses what cannot be.
    fn checked(self) -> io::Result<Self> {
        if self.shards > MAX_SHARDS {
            let text = format!("shards must be between 1 and {MAX_SHARDS}, not {}", self.shards);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(self)
    }
}
