//! How a context is made.

use super::{Choice, Refusal, Refusals};
use crate::backend::{BackendKind, Candidate, Settings};
use crate::context::Context;
use crate::driver::Driver;
use crate::error;
use crate::trace;
use std::io;

/// Chooses how a [`Context`] is made; made by [`Context::builder`].
///
/// Which backend: the one of [`backend`](Self::backend); else the one that `CAIO_IMPL` or the file
/// `default_implementation` names; else the first that works in the [`order`](Self::order). The
/// first two never fall back.
///
/// ```
/// use caio_core::{BackendKind, Context};
/// let builder = Context::builder().max_requests(128).order([BackendKind::Uring, BackendKind::Thread]);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    /// What the backend is opened with.
    settings: Settings,
    /// The backend that is forced.
    forced: Option<BackendKind>,
    /// The order in which backends are tried, where the caller chose one.
    order: Option<Vec<BackendKind>>,
}

impl Builder {
    /// The defaults.
    pub(crate) fn new() -> Self {
        Self { settings: Settings::default(), forced: None, order: None }
    }

    /// The bound on operations in flight, 1 to [`MAX_REQUESTS_LIMIT`](crate::MAX_REQUESTS_LIMIT);
    /// by default [`DEFAULT_MAX_REQUESTS`](crate::DEFAULT_MAX_REQUESTS).
    ///
    /// ```
    /// use caio_core::Context;
    /// let builder = Context::builder().max_requests(1024);
    /// assert!(Context::builder().max_requests(0).build().is_err()); // no room for any operation
    /// ```
    pub fn max_requests(mut self, max_requests: usize) -> Self {
        self.settings.max_requests = max_requests;
        self
    }

    /// Forces a backend: if it cannot be used, building fails. The environment has no word then.
    ///
    /// ```
    /// use caio_core::{BackendKind, Context};
    /// if let Err(error) = Context::builder().backend(BackendKind::Uring).build() {
    ///     eprintln!("this program needs io_uring: {error}");
    /// }
    /// ```
    pub fn backend(mut self, kind: BackendKind) -> Self {
        self.forced = Some(kind);
        self
    }

    /// The order in which backends are tried, and which are; by default [`BackendKind::ALL`].
    ///
    /// ```
    /// use caio_core::{BackendKind, Context};
    /// let builder = Context::builder().order([BackendKind::Uring, BackendKind::Thread]); // never kernel AIO
    /// ```
    pub fn order(mut self, order: impl IntoIterator<Item = BackendKind>) -> Self {
        self.order = Some(order.into_iter().collect());
        self
    }

    /// The most threads of the pool; by default a few per core.
    ///
    /// ```
    /// let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    /// let builder = caio_core::Context::builder().pool_size(2 * cores);
    /// ```
    pub fn pool_size(mut self, threads: usize) -> Self {
        self.settings.pool_size = Some(threads);
        self
    }

    /// Whether futures may spin and yield for some microseconds before they park; on by default. It
    /// saves a wake-up, some 20 microseconds for each operation, and costs processor time: an
    /// `O_DIRECT` read alone at a time keeps a core busy. Without it a future that has nothing to
    /// do parks at once.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let builder = caio_core::Context::builder().spin(false);
    /// # Ok(()) }
    /// ```
    pub fn spin(mut self, spin: bool) -> Self {
        self.settings.spin = spin;
        self
    }

    /// Has the thread backend use nothing but the standard library, as on systems other than Linux.
    ///
    /// ```
    /// use caio_core::{BackendKind, Context};
    /// let builder = Context::builder().backend(BackendKind::Thread).portable(true); // as on any other system
    /// ```
    pub fn portable(mut self, portable: bool) -> Self {
        self.settings.portable = portable;
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    /// The [`Refusal`] of a forced backend, or the [`Refusals`] of all that were tried
    /// (`io::Error::get_ref` gives them); `InvalidInput` if `CAIO_IMPL` names no backend, or a
    /// setting cannot be.
    ///
    /// ```
    /// use caio_core::{Context, Refusals};
    /// match Context::builder().build() {
    ///     Ok(ctx) => println!("{} is used", ctx.backend()),
    ///     Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Refusals>()) {
    ///         Some(refusals) => eprintln!("{} backends were tried", refusals.as_slice().len()),
    ///         None => eprintln!("a forced backend or a setting: {error}"),
    ///     },
    /// }
    /// ```
    pub fn build(self) -> io::Result<Context> {
        self.open(false).map(|(context, _)| context)
    }

    /// Makes the context, and the driver with which somebody else's event loop takes its
    /// completions.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::Context;
    /// let (ctx, mut driver) = Context::builder().build_with_driver()?;
    /// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// let write = ctx.write(b"Hello world", &fd, 0).submit();
    /// while ctx.in_flight() > 0 {
    ///     driver.reap(usize::MAX, 1, None)?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn build_with_driver(self) -> io::Result<(Context, Driver)> {
        let (context, driver) = self.open(true)?;
        let driver = driver.ok_or_else(|| error::no_driver(context.backend()))?;
        Ok((context, driver))
    }

    /// Tries the backends in turn.
    fn open(mut self, driven: bool) -> io::Result<(Context, Option<Driver>)> {
        self.settings.driven = driven;
        self.settings.check().map_err(|(_, error)| error)?;
        let forced = match self.forced {
            Some(kind) => Some(Choice { kind, portable: self.settings.portable }),
            None => Choice::from_environment()?,
        };
        if let Some(Choice { kind, portable }) = forced {
            self.settings.portable |= portable;
            return Ok(self.try_one(kind, Vec::new()).map_err(|(refusal, _)| refusal)?);
        }
        let asked = self.order.is_some();
        let mut rejected = Vec::new();
        for kind in self.order.take().unwrap_or_else(|| BackendKind::ALL.to_vec()) {
            if !asked && candidate(kind).is_none() {
                continue;
            }
            match self.try_one(kind, rejected) {
                Ok(opened) => return Ok(opened),
                Err((refusal, before)) => {
                    rejected = before;
                    rejected.push(refusal);
                }
            }
        }
        Err(Refusals(rejected).into())
    }

    /// Tries one backend.
    fn try_one(
        &self,
        kind: BackendKind,
        rejected: Vec<Refusal>,
    ) -> Result<(Context, Option<Driver>), (Refusal, Vec<Refusal>)> {
        let Some(candidate) = candidate(kind) else {
            return Err((missing(kind), rejected));
        };
        let opened = Context::open_after(&self.settings, kind, rejected, candidate.open);
        opened.inspect_err(|(refusal, _)| trace::refused(refusal))
    }
}

/// The backend, if it is linked in.
pub(super) fn candidate(kind: BackendKind) -> Option<&'static Candidate> {
    inventory::iter::<Candidate>().find(|candidate| candidate.kind == kind)
}

/// The refusal of a backend that is not linked in.
fn missing(kind: BackendKind) -> Refusal {
    let error = io::Error::new(io::ErrorKind::Unsupported, "it is not compiled in");
    let remedy = format!(
        "enable the Cargo feature `{kind}` of caio, or depend on caio-{kind}; uring and aio exist on Linux only"
    );
    Refusal::new(kind, "selection", error, remedy)
}
