//! How a context over kernel AIO is made.

use crate::probe;
use crate::routes::Routes;
use caio_core::{BackendKind, Context, Driver, Settings};
use std::io;

/// The kernel AIO backend on its own.
///
/// Reads and writes of files that are open with `O_DIRECT` are given to the kernel by
/// `io_submit(2)`; what is not asynchronous there is finished on the spot, or by a pool of threads.
/// A cancel does not reach a request that the kernel has: it runs to its end. Needs Linux 4.18.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let Ok(_) = caio_aio::Aio::builder().max_requests(1).build() else { return Ok(()) };
/// let ctx: caio_core::Context = caio_aio::Aio::builder().max_requests(32).build()?;
/// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
/// let (written, _buf) = futures::executor::block_on(ctx.write(b"Hello world", &fd, 0));
/// assert_eq!(written?, 11);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Aio(());

impl Aio {
    /// Chooses how a context is made.
    ///
    /// ```
    /// let builder = caio_aio::Aio::builder().max_requests(64).pool_size(2);
    /// ```
    pub fn builder() -> Builder {
        Builder { settings: Settings::default(), routes: Routes::Auto }
    }
}

/// Chooses how a context over kernel AIO is made; made by [`Aio::builder`].
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let (ctx, mut driver) = caio_aio::Aio::builder().build_with_driver()?;
/// // where the event loop says that `driver.as_fd()` is readable:
/// driver.reap(usize::MAX, 0, None)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    /// What the backend is opened with.
    settings: Settings,
    /// Which operations the kernel is given.
    routes: Routes,
}

impl Builder {
    /// The bound on operations in flight, 1 to
    /// [`MAX_REQUESTS_LIMIT`](caio_core::MAX_REQUESTS_LIMIT); by default
    /// [`DEFAULT_MAX_REQUESTS`](caio_core::DEFAULT_MAX_REQUESTS). All contexts of a system share
    /// `fs.aio-max-nr`; where that has no more to give, the context has a lower bound, as
    /// [`Context::max_requests`] tells.
    ///
    /// ```
    /// let builder = caio_aio::Aio::builder().max_requests(1024);
    /// ```
    pub fn max_requests(mut self, max_requests: usize) -> Self {
        self.settings.max_requests = max_requests;
        self
    }

    /// The most threads of the pool; by default a few per core.
    ///
    /// ```
    /// let builder = caio_aio::Aio::builder().pool_size(1);
    /// ```
    pub fn pool_size(mut self, threads: usize) -> Self {
        self.settings.pool_size = Some(threads);
        self
    }

    /// Which operations the kernel is given; by default those that it carries out asynchronously.
    ///
    /// ```
    /// let builder = caio_aio::Aio::builder().routes(caio_aio::Routes::Pool);
    /// ```
    pub fn routes(mut self, routes: Routes) -> Self {
        self.routes = routes;
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    /// The [`Refusal`](caio_core::Refusal) of the system, with what to do about it: `EAGAIN` where
    /// `fs.aio-max-nr` is used up, `ENOSYS`, `EPERM`, `ENOMEM`, `EMFILE`; `InvalidInput` if a
    /// setting cannot be.
    ///
    /// ```
    /// match caio_aio::Aio::builder().build() {
    ///     Ok(ctx) => println!("{} requests in flight", ctx.max_requests()),
    ///     Err(refusal) => println!("{refusal}"),
    /// }
    /// ```
    pub fn build(self) -> io::Result<Context> {
        let routes = self.routes;
        let open = |settings: &Settings, completer| probe::open_with(settings, completer, routes);
        Ok(Context::open(&self.settings, BackendKind::Aio, open).map(|(context, _)| context)?)
    }

    /// Makes the context, and the driver with which an external event loop takes its completions.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// ```no_run
    /// let (ctx, driver) = caio_aio::Aio::builder().build_with_driver()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn build_with_driver(self) -> io::Result<(Context, Driver)> {
        let routes = self.routes;
        let open = |settings: &Settings, completer| probe::open_with(settings, completer, routes);
        Context::open_driven(self.settings, BackendKind::Aio, open)
    }
}
