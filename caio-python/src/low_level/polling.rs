//! Contexts whose completions are taken by a call: `linux_uring.Context` and `linux_aio.Context`.

use super::operation::{Flavour, LowOperation};
use super::queue::{Queue, Received};
use crate::backend::Chosen;
use crate::errors;
use crate::file::borrowed;
use pyo3::exceptions::{PyBlockingIOError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The bound where its user does not choose one.
const DEFAULT_MAX_REQUESTS: i64 = 32;
/// The most completions of one call.
const MAX_EVENTS: i64 = 1 << 20;

/// What the contexts of both backends have.
#[pyclass(frozen, subclass, weakref, module = "caio._caio")]
#[derive(Debug)]
pub(crate) struct PollingContext {
    /// Whose it is.
    flavour: Flavour,
    /// The operations.
    queue: Arc<Queue>,
    /// How many threads wait for completions.
    waiters: AtomicUsize,
}

impl PollingContext {
    /// Makes one.
    fn new(py: Python<'_>, flavour: Flavour, chosen: Chosen, max_requests: i64) -> PyResult<Self> {
        let asked = if max_requests == 0 { DEFAULT_MAX_REQUESTS } else { max_requests };
        let engine = chosen.open_with(py, asked, None)?;
        let queue = Queue::new(engine, usize::try_from(asked).unwrap_or(usize::MAX))?;
        Ok(Self { flavour, queue, waiters: AtomicUsize::new(0) })
    }

    /// Whether the object is an operation of this backend.
    fn own<'a, 'py>(&self, object: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, LowOperation>> {
        object.cast::<LowOperation>().ok().filter(|operation| operation.get().flavour() == self.flavour)
    }

    /// Delivers what has ended, at most so many.
    fn take(&self, py: Python<'_>, max: usize) -> usize {
        crate::buffer::end_loans(py);
        let mut delivered = 0;
        while delivered < max {
            match self.queue.list().take_first() {
                Some(number) => delivered += usize::from(self.queue.deliver(py, number)),
                None => break,
            }
        }
        if delivered != 0 && (self.waiters.load(Ordering::Relaxed) != 0 || !self.queue.list().is_empty()) {
            self.queue.list().bell().ring(); // those who wait look at how many were delivered
        }
        delivered
    }

    /// Waits for the bell, no longer than `left`. Signals' handlers run.
    fn wait(&self, py: Python<'_>, left: Option<Duration>) -> PyResult<()> {
        let left = left.map(|left| Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos().into() });
        self.waiters.fetch_add(1, Ordering::Relaxed);
        let waited = py.detach(|| {
            let bell = self.queue.list().bell();
            let waited = poll(&mut [PollFd::new(bell, PollFlags::IN)], left.as_ref());
            bell.reset();
            waited
        });
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        py.check_signals()?;
        match waited {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }
}

#[pymethods]
impl PollingContext {
    /// Starts operations, each of them once. Gives how many were started.
    #[pyo3(signature = (*operations))]
    fn submit(slf: &Bound<'_, Self>, operations: &Bound<'_, PyTuple>) -> PyResult<usize> {
        let this = slf.get();
        this.queue.check_usable()?;
        let mut own = Vec::with_capacity(operations.len());
        for (number, object) in operations.iter().enumerate() {
            let operation = this.own(&object).cloned();
            own.push(operation.ok_or_else(|| PyTypeError::new_err(format!("argument {number} is not an Operation")))?);
        }
        let mut started = 0;
        for operation in &own {
            if this.flavour == Flavour::Aio && operation.get().is_new() {
                if let Err(error) = rustix::io::fcntl_getfd(borrowed(operation.get().fd())) {
                    let error = errors::exception(slf.py(), &error.into());
                    return if started == 0 { Err(error) } else { Ok(started) };
                }
            }
            match this.queue.submit(operation, Some(slf.as_any()))? {
                Received::Started => started += 1,
                Received::Used => {}
                Received::Full if this.flavour == Flavour::Aio && started != 0 => break,
                Received::Full => {
                    let bound = this.queue.max_requests();
                    return Err(PyOverflowError::new_err(format!(
                        "the queue is full: {bound} operations are in flight"
                    )));
                }
            }
        }
        Ok(started)
    }

    /// Asks an operation to end early. Its callback tells whether it did.
    fn cancel(&self, py: Python<'_>, operation: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.queue.check_usable()?;
        let own = self.own(operation).ok_or_else(|| PyTypeError::new_err("argument 1 is not an Operation"))?;
        match (self.queue.cancel(py, own), self.flavour) {
            (true, _) => Ok(0),
            (false, Flavour::Aio) => Err(PyValueError::new_err("the operation is not in flight in this context")),
            (false, _) => {
                self.queue.list().bell().ring();
                Ok(0)
            }
        }
    }

    /// Delivers completions: at least `min_requests` within `timeout` seconds (negative: however long it takes), at most
    /// `max_requests`. Gives how many.
    #[pyo3(signature = (max_requests=512, min_requests=0, timeout=None))]
    fn process_events(
        &self,
        py: Python<'_>,
        max_requests: i64,
        min_requests: i64,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        self.queue.check_usable()?;
        if !(0..=MAX_EVENTS).contains(&max_requests) || min_requests < 0 {
            return Err(PyOverflowError::new_err(format!("max_requests must be between 0 and {MAX_EVENTS}")));
        }
        if min_requests > max_requests {
            return Err(PyValueError::new_err("min_requests must not exceed max_requests"));
        }
        let (max, min) = (max_requests as usize, min_requests as usize);
        let timeout = timeout.unwrap_or(0.0);
        let timeout = if timeout < 0.0 { None } else { crate::file::timeout(Some(timeout))? };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let before = self.queue.delivered();
        let mut taken = self.take(py, max);
        while taken < min && self.queue.delivered() - before < min as u64 {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            self.wait(py, left)?;
            taken += self.take(py, max - taken);
        }
        Ok(taken)
    }

    /// Resets the descriptor `fileno`, and gives how often it was signalled. Raises BlockingIOError where it was not.
    fn poll(&self) -> PyResult<u64> {
        self.queue.check_usable()?;
        match self.queue.list().bell().reset() {
            0 => Err(PyBlockingIOError::new_err((Errno::AGAIN.raw_os_error(), "no completion was signalled"))),
            count => Ok(count),
        }
    }

    /// A descriptor that polls readable when there are completions.
    #[getter]
    fn fileno(&self) -> i32 {
        self.queue.list().bell().as_raw_fd()
    }

    /// How many operations may be in flight.
    #[getter]
    fn max_requests(&self) -> usize {
        self.queue.max_requests()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, bound) = (slf.get_type().fully_qualified_name()?, slf.get().max_requests());
        Ok(format!("<{class} at {:p}: max_requests={bound}>", slf.as_ptr()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.queue.traverse(&visit)
    }

    fn __clear__(&self) {
        self.queue.abandon();
    }
}

/// io_uring aio context.
#[pyclass(frozen, extends = PollingContext, name = "Context", module = "caio.linux_uring")]
#[derive(Debug)]
pub(crate) struct UringContext;

#[pymethods]
impl UringContext {
    #[new]
    #[pyo3(signature = (max_requests=DEFAULT_MAX_REQUESTS, sqpoll=None))]
    fn new(py: Python<'_>, max_requests: i64, sqpoll: Option<&Bound<'_, PyAny>>) -> PyResult<PyClassInitializer<Self>> {
        sqpoll.map_or(Ok(false), |sqpoll| sqpoll.is_truthy())?;
        let base = PollingContext::new(py, Flavour::Uring, Chosen::Uring, max_requests)?;
        Ok(PyClassInitializer::from(base).add_subclass(Self))
    }

    /// Delivers all completions that there are. Gives how many.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let base = slf.as_super().get();
        base.queue.check_usable()?;
        Ok(base.take(slf.py(), usize::MAX))
    }

    /// 0: no kernel thread polls for submissions, whatever was asked for.
    #[getter]
    fn sqpoll(&self) -> i32 {
        0
    }
}

/// linux aio context.
#[pyclass(frozen, extends = PollingContext, name = "Context", module = "caio.linux_aio")]
#[derive(Debug)]
pub(crate) struct AioContext;

#[pymethods]
impl AioContext {
    #[new]
    #[pyo3(signature = (max_requests=DEFAULT_MAX_REQUESTS))]
    fn new(py: Python<'_>, max_requests: i64) -> PyResult<PyClassInitializer<Self>> {
        let base = PollingContext::new(py, Flavour::Aio, Chosen::Aio, max_requests)?;
        Ok(PyClassInitializer::from(base).add_subclass(Self))
    }
}
