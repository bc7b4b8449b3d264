//! The backends by the names that Python programs know, and what a context is made with.

use crate::errors;
use caio::{BackendKind, Context, MAX_POOL_SIZE, MAX_REQUESTS_LIMIT};
use pyo3::exceptions::{PyImportError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use rustix::io::Errno;

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// io_uring.
    Uring,
    /// Linux kernel AIO.
    Aio,
    /// Threads, with what the system offers for them.
    Thread,
    /// Threads, with nothing but the standard library.
    Portable,
}

/// Which backends there are and can be used, asked once.
static PROBES: PyOnceLock<Vec<caio::Probe>> = PyOnceLock::new();

/// The probes.
fn probes(py: Python<'_>) -> &[caio::Probe] {
    PROBES.get_or_init(py, || py.detach(caio::probe))
}

impl Chosen {
    /// The backend of a name.
    pub(crate) fn new(name: &str) -> PyResult<Self> {
        match name {
            "uring" => Ok(Self::Uring),
            "aio" => Ok(Self::Aio),
            "thread" => Ok(Self::Thread),
            "python" => Ok(Self::Portable),
            _ => Err(PyValueError::new_err(format!("unknown backend: {name}"))),
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Aio => "aio",
            Self::Thread => "thread",
            Self::Portable => "python",
        }
    }

    /// What the engine calls it.
    fn kind(self) -> BackendKind {
        match self {
            Self::Uring => BackendKind::Uring,
            Self::Aio => BackendKind::Aio,
            Self::Thread | Self::Portable => BackendKind::Thread,
        }
    }

    /// Makes a context with the arguments of Python's. One that the backend does not have is an error.
    pub(crate) fn open(self, py: Python<'_>, max_requests: i64, extra: &Bound<'_, PyDict>) -> PyResult<Context> {
        let mut pool_size = None;
        for (name, value) in extra {
            let name: String = name.extract()?;
            match (self, name.as_str()) {
                // Polling by a kernel thread burns a core, and makes nothing here faster: it is taken for a wish.
                (Self::Uring, "sqpoll") => drop(value.is_truthy()?),
                (Self::Thread | Self::Portable, "pool_size") => pool_size = Some(value.extract()?),
                _ => return Err(PyTypeError::new_err(format!("unexpected keyword argument '{name}'"))),
            }
        }
        self.open_with(py, max_requests, pool_size)
    }

    /// Makes a context.
    pub(crate) fn open_with(self, py: Python<'_>, max_requests: i64, pool_size: Option<i64>) -> PyResult<Context> {
        let bound = usize::try_from(max_requests).ok().filter(|bound| *bound != 0);
        let bound = bound.ok_or_else(|| invalid(py, &format!("max_requests must be positive, not {max_requests}")))?;
        // More than the engine takes wait for room, which nobody can tell from being in flight.
        let mut builder = Context::builder().backend(self.kind()).max_requests(bound.min(MAX_REQUESTS_LIMIT));
        builder = builder.portable(self == Self::Portable);
        if let Some(given) = pool_size {
            let threads = usize::try_from(given).ok().filter(|threads| (1..=MAX_POOL_SIZE).contains(threads));
            let error = || invalid(py, &format!("pool_size must be between 1 and {MAX_POOL_SIZE}, not {given}"));
            builder = builder.pool_size(threads.ok_or_else(error)?);
        }
        builder.build().map_err(|error| errors::refused(py, &error))
    }

    /// Why the backends before this one cannot be used.
    pub(crate) fn rejected(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        let before = probes(py).iter().take_while(|probe| probe.backend() != self.kind());
        PyTuple::new(py, before.filter_map(|probe| probe.refusal()).map(ToString::to_string).collect::<Vec<_>>())
    }
}

/// An argument that cannot be.
fn invalid(py: Python<'_>, text: &str) -> PyErr {
    errors::operation_error(py, Errno::INVAL.raw_os_error(), text)
}

/// Raises ImportError, with the cause and what to do, where a backend cannot be used here.
#[pyfunction]
pub(crate) fn require(py: Python<'_>, name: &str) -> PyResult<()> {
    let kind = Chosen::new(name)?.kind();
    match probes(py).iter().find(|probe| probe.backend() == kind) {
        Some(probe) => match probe.refusal() {
            None => Ok(()),
            Some(refusal) => Err(PyImportError::new_err(refusal.to_string())),
        },
        None => Err(PyImportError::new_err(format!("{name} cannot be used: this build of caio does not have it"))),
    }
}

/// Which backends there are: pairs of a name, and of why it cannot be used and what to do about it, or None.
#[pyfunction]
pub(crate) fn probe(py: Python<'_>) -> Vec<(&'static str, Option<String>)> {
    let text = |probe: &caio::Probe| (probe.backend().name(), probe.refusal().map(ToString::to_string));
    probes(py).iter().map(text).collect()
}
