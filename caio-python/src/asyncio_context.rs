//! `AsyncioContext`: reads, writes and syncs that tasks await.

use crate::backend::Chosen;
use crate::buffer::{Lent, Source};
use crate::event_loop::{self, LoopEvents};
use crate::low_level::{LowOperation, Outcome};
use crate::operation::{Job, Work};
use crate::step::Step;
use crate::sync::{Birth, lock};
use crate::{awaitable, errors, file};
use caio::Context;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

/// The bound on operations in flight where its user does not choose one.
const DEFAULT_MAX_REQUESTS: i64 = 512;

/// Reads, writes and syncs files without blocking the event loop.
#[pyclass(frozen, subclass, module = "caio._caio")]
#[derive(Debug)]
pub(crate) struct AsyncioContext {
    /// What `__init__` makes.
    core: OnceLock<Core>,
}

/// What a context is made of.
struct Core {
    /// The engine, until it is closed.
    engine: Mutex<Option<Arc<Context>>>,
    /// Which backend it was made with.
    chosen: Chosen,
    /// The bound that was asked for.
    max_requests: usize,
    /// What was asked for besides.
    deferred: bool,
    /// Its event loop, for those who ask; it works in every loop.
    event_loop: Py<PyAny>,
    /// The arguments of a low-level context.
    extra: Py<PyDict>,
    /// The semaphore of the original, for those who ask: here the engine keeps the bound.
    semaphore: PyOnceLock<Py<PyAny>>,
    /// The low-level context of the original, for those who ask.
    context: PyOnceLock<Py<PyAny>>,
    /// Where it was made.
    birth: Birth,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({}, {})", self.chosen.name(), self.max_requests)
    }
}

impl AsyncioContext {
    /// What `__init__` has made.
    fn core(&self) -> PyResult<&Core> {
        self.core.get().ok_or_else(|| PyRuntimeError::new_err("AsyncioContext.__init__ was not called"))
    }

    /// The engine.
    pub(crate) fn engine(&self) -> PyResult<Arc<Context>> {
        let core = self.core()?;
        if core.birth.is_left() {
            return Err(errors::inherited());
        }
        lock(&core.engine).clone().ok_or_else(errors::closed)
    }
}

/// What an awaited operation is made of, besides its work.
struct Common<'a, 'py> {
    /// The context.
    context: &'a Bound<'py, AsyncioContext>,
    /// What it is called.
    name: &'static str,
    /// The number of its file.
    fd: &'a Bound<'py, PyAny>,
    /// Where in the file.
    offset: Option<&'a Bound<'py, PyAny>>,
    /// How urgent it is.
    priority: i64,
    /// How long it may take, in seconds.
    timeout: Option<f64>,
}

impl Common<'_, '_> {
    /// Makes what is awaited.
    fn awaitable(self, work: Work) -> PyResult<Py<PyAny>> {
        let job = Job {
            work,
            fd: file::number(self.fd)?,
            offset: self.offset.map_or(Ok(0), file::offset)?,
            priority: file::priority(self.priority)?,
            timeout: file::timeout(self.timeout)?,
        };
        awaitable::new(self.context.py(), Step::new(self.context.clone().unbind(), self.name, job))
    }
}

/// Whatever a subclass takes is for its `__init__`.
#[pymethods]
impl AsyncioContext {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { core: OnceLock::new() }
    }

    #[pyo3(signature = (max_requests=None, r#loop=None, deferred=false, **kwargs))]
    fn __init__(
        slf: &Bound<'_, Self>,
        max_requests: Option<i64>,
        r#loop: Option<Bound<'_, PyAny>>,
        deferred: bool,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let name: String = slf.getattr(intern!(py, "BACKEND"))?.extract()?;
        let asked = max_requests.filter(|asked| *asked != 0).unwrap_or(DEFAULT_MAX_REQUESTS);
        let extra = kwargs.cloned().unwrap_or_else(|| PyDict::new(py));
        let chosen = Chosen::new(&name)?;
        let engine = chosen.open(py, asked, &extra)?;
        let event_loop = match r#loop.filter(|given| !given.is_none()) {
            Some(given) => given,
            None => match event_loop::running(py) {
                Ok(running) => running,
                Err(_) => py.import(intern!(py, "asyncio"))?.call_method0(intern!(py, "get_event_loop"))?,
            },
        };
        let core = Core {
            engine: Mutex::new(Some(Arc::new(engine))),
            chosen,
            max_requests: usize::try_from(asked).unwrap_or(usize::MAX),
            deferred,
            event_loop: event_loop.unbind(),
            extra: extra.unbind(),
            semaphore: PyOnceLock::new(),
            context: PyOnceLock::new(),
            birth: Birth::here(),
        };
        let first = slf.get().core.set(core).is_ok();
        if first { Ok(()) } else { Err(PyRuntimeError::new_err("AsyncioContext.__init__ was called twice")) }
    }

    /// Reads at most `nbytes` bytes at `offset`: `await` gives `bytes`, which are empty at the end of the file.
    #[pyo3(signature = (nbytes, fd, offset, priority=0, *, timeout=None))]
    fn read(
        slf: &Bound<'_, Self>,
        nbytes: &Bound<'_, PyAny>,
        fd: &Bound<'_, PyAny>,
        offset: &Bound<'_, PyAny>,
        priority: i64,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let work = Work::Read(file::bytes(nbytes)?);
        Common { context: slf, name: "read", fd, offset: Some(offset), priority, timeout }.awaitable(work)
    }

    /// Reads at `offset` into a writable buffer, such as a `bytearray`: `await` gives how many bytes were read.
    #[pyo3(signature = (buffer, fd, offset, priority=0, *, timeout=None))]
    fn readinto(
        slf: &Bound<'_, Self>,
        buffer: &Bound<'_, PyAny>,
        fd: &Bound<'_, PyAny>,
        offset: &Bound<'_, PyAny>,
        priority: i64,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let work = Work::ReadInto(Lent::writable(buffer)?);
        Common { context: slf, name: "readinto", fd, offset: Some(offset), priority, timeout }.awaitable(work)
    }

    /// Reads at `offset` into writable buffers in turn: `await` gives how many bytes were read.
    #[pyo3(signature = (buffers, fd, offset, priority=0, *, timeout=None))]
    fn readv(
        slf: &Bound<'_, Self>,
        buffers: &Bound<'_, PyAny>,
        fd: &Bound<'_, PyAny>,
        offset: &Bound<'_, PyAny>,
        priority: i64,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let lent = buffers.try_iter()?.map(|buffer| Lent::writable(&buffer?)).collect::<PyResult<_>>()?;
        Common { context: slf, name: "readv", fd, offset: Some(offset), priority, timeout }.awaitable(Work::Readv(lent))
    }

    /// Writes `bytes`, or another object with a contiguous buffer, at `offset`: `await` gives how many bytes were written.
    #[pyo3(signature = (payload, fd, offset, priority=0, *, timeout=None))]
    fn write(
        slf: &Bound<'_, Self>,
        payload: &Bound<'_, PyAny>,
        fd: &Bound<'_, PyAny>,
        offset: &Bound<'_, PyAny>,
        priority: i64,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let work = Work::Write(Source::new(payload)?);
        Common { context: slf, name: "write", fd, offset: Some(offset), priority, timeout }.awaitable(work)
    }

    /// Writes several buffers in turn at `offset`: `await` gives how many bytes were written.
    #[pyo3(signature = (payloads, fd, offset, priority=0, *, timeout=None))]
    fn writev(
        slf: &Bound<'_, Self>,
        payloads: &Bound<'_, PyAny>,
        fd: &Bound<'_, PyAny>,
        offset: &Bound<'_, PyAny>,
        priority: i64,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let sources = payloads.try_iter()?.map(|payload| Source::new(&payload?)).collect::<PyResult<_>>()?;
        let work = Work::Writev(sources);
        Common { context: slf, name: "writev", fd, offset: Some(offset), priority, timeout }.awaitable(work)
    }

    /// Brings a file's data and metadata to the disk.
    #[pyo3(signature = (fd, priority=0, *, timeout=None))]
    fn fsync(slf: &Bound<'_, Self>, fd: &Bound<'_, PyAny>, priority: i64, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        Common { context: slf, name: "fsync", fd, offset: None, priority, timeout }.awaitable(Work::Fsync)
    }

    /// Brings a file's data to the disk, and what is needed to read it back.
    #[pyo3(signature = (fd, priority=0, *, timeout=None))]
    fn fdsync(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        priority: i64,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        Common { context: slf, name: "fdsync", fd, offset: None, priority, timeout }.awaitable(Work::Fdsync)
    }

    /// Carries out an operation object of the backend: `await` gives its value.
    fn submit(slf: &Bound<'_, Self>, op: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let class = slf.getattr(intern!(slf.py(), "OPERATION_CLASS"))?;
        let low = op.cast::<LowOperation>().ok().filter(|_| op.is_instance(&class).unwrap_or(false));
        let low = low.ok_or_else(|| PyValueError::new_err("Operation object expected"))?;
        let step = Step::submitted(slf.clone().unbind(), Outcome::new(low));
        awaitable::new(slf.py(), step)
    }

    /// Takes no more operations. Reads that run end with an error; writes and syncs to disks are carried out.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(core) = self.core.get().filter(|core| !core.birth.is_left()) else {
            return Ok(());
        };
        let engine = lock(&core.engine).take();
        if engine.is_some() {
            drop(engine);
            LoopEvents::wake_all(py);
        }
        Ok(())
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> PyResult<bool> {
        let core = self.core()?;
        Ok(core.birth.is_left() || lock(&core.engine).is_none())
    }

    /// The event loop that it was made for. It works in every loop.
    #[getter]
    fn r#loop(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.core()?.event_loop.clone_ref(py))
    }

    /// What `deferred` was. The engine groups what is submitted by itself.
    #[getter]
    fn deferred(&self) -> PyResult<bool> {
        Ok(self.core()?.deferred)
    }

    /// The bound on operations in flight.
    #[getter]
    fn max_requests(&self) -> PyResult<usize> {
        Ok(self.core()?.max_requests)
    }

    /// The name of the backend: uring, aio, thread or python.
    #[getter]
    fn backend(&self) -> PyResult<&'static str> {
        Ok(self.core()?.chosen.name())
    }

    /// Why the backends that are tried before this one cannot be used here.
    #[getter]
    fn rejected<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.core()?.chosen.rejected(py)
    }

    /// What was done so far, by name.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.engine()?.stats();
        let dict = PyDict::new(py);
        let counters = [
            ("submitted", stats.submitted),
            ("completed", stats.completed),
            ("inline", stats.inline),
            ("fallback", stats.fallback),
            ("waited", stats.waited),
            ("cancelled", stats.cancelled),
            ("bytes_read", stats.bytes_read),
            ("bytes_written", stats.bytes_written),
            ("leaked", stats.leaked),
        ];
        counters.into_iter().try_for_each(|(name, value)| dict.set_item(name, value))?;
        Ok(dict)
    }

    /// A semaphore with the bound, as the original has. Nothing here takes it.
    #[getter]
    fn semaphore(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let core = self.core()?;
        let make = || -> PyResult<_> {
            let class = py.import(intern!(py, "asyncio"))?.getattr(intern!(py, "BoundedSemaphore"))?;
            Ok(class.call1((core.max_requests,))?.unbind())
        };
        Ok(core.semaphore.get_or_try_init(py, make)?.clone_ref(py))
    }

    /// A low-level context with the same bound, as the original has. It is made when it is first asked for.
    #[getter]
    fn context(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let core = slf.get().core()?;
        let make = || -> PyResult<_> {
            let class = slf.getattr(intern!(py, "CONTEXT_CLASS"))?;
            Ok(class.call((core.max_requests,), Some(core.extra.bind(py)))?.unbind())
        };
        Ok(core.context.get_or_try_init(py, make)?.clone_ref(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(core) = self.core.get() else {
            return Ok(());
        };
        visit.call(&core.event_loop)?;
        visit.call(&core.extra)?;
        // The other two refer to nothing of ours; a lock of theirs may be held here.
        Ok(())
    }
}
