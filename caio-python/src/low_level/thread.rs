//! The context that calls back from threads: `thread_aio.Context`.

use super::dispatcher::Dispatcher;
use super::operation::{Flavour, LowOperation};
use super::queue::{Queue, Received};
use crate::backend::Chosen;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The bound where its user does not choose one.
const DEFAULT_MAX_REQUESTS: i64 = 512;
/// How many threads there are at most where its user does not choose.
const DEFAULT_POOL_SIZE: i64 = 8;
/// How long a context that is dropped waits for what runs.
const MAX_DROP_WAIT: Duration = Duration::from_secs(5);
/// How often a wait looks whether a signal has come.
const PACE: Duration = Duration::from_millis(20);

/// thread aio context.
#[pyclass(frozen, weakref, name = "Context", module = "caio.thread_aio")]
#[derive(Debug)]
pub(crate) struct ThreadContext {
    /// The operations.
    queue: Arc<Queue>,
    /// The threads that call back.
    dispatcher: Arc<Dispatcher>,
    /// How many threads were asked for.
    pool_size: i64,
}

impl ThreadContext {
    /// Takes no more operations, and waits until those that were submitted have ended and were called back.
    fn drain(&self, py: Python<'_>, deadline: Option<Instant>) -> PyResult<()> {
        self.queue.close();
        let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        // One of its own callbacks cannot wait for itself.
        let waits = !self.dispatcher.is_current() && !super::dispatcher::is_exiting();
        while waits && !is_over() {
            if py.detach(|| self.queue.engine().close_blocking(PACE) && self.dispatcher.wait_empty(PACE)) {
                break;
            }
            py.check_signals()?;
        }
        self.dispatcher.stop();
        Ok(())
    }
}

#[pymethods]
impl ThreadContext {
    #[new]
    #[pyo3(signature = (max_requests=DEFAULT_MAX_REQUESTS, pool_size=DEFAULT_POOL_SIZE))]
    fn new(py: Python<'_>, max_requests: i64, pool_size: i64) -> PyResult<Self> {
        let asked = if max_requests == 0 { DEFAULT_MAX_REQUESTS } else { max_requests };
        let engine = Chosen::Thread.open_with(py, asked, Some(pool_size))?;
        let queue = Queue::new(engine, usize::try_from(asked).unwrap_or(usize::MAX))?;
        let threads = usize::try_from(pool_size).unwrap_or(1);
        let dispatcher = Dispatcher::new(Arc::clone(&queue), threads);
        Ok(Self { queue, dispatcher, pool_size })
    }

    /// Starts operations, each of them once. Gives how many were started.
    #[pyo3(signature = (*operations))]
    fn submit(&self, operations: &Bound<'_, PyTuple>) -> PyResult<usize> {
        self.queue.check_usable()?;
        let mut own = Vec::with_capacity(operations.len());
        for (number, object) in operations.iter().enumerate() {
            let operation = object.cast_into::<LowOperation>().ok();
            let operation = operation.filter(|operation| operation.get().flavour() == Flavour::Thread);
            own.push(operation.ok_or_else(|| PyTypeError::new_err(format!("Wrong type for argument {number}")))?);
        }
        let mut started = 0;
        for operation in &own {
            match self.queue.submit(operation, None)? {
                Received::Started => {
                    started += 1;
                    self.dispatcher.ensure();
                }
                Received::Used => {}
                Received::Full => {
                    let bound = self.queue.max_requests();
                    return Err(PyRuntimeError::new_err(format!("the pool is full: {bound} operations are in flight")));
                }
            }
        }
        Ok(started)
    }

    /// Gives 0: what a thread has begun cannot be called back.
    #[pyo3(signature = (*operations))]
    fn cancel(&self, operations: &Bound<'_, PyTuple>) -> usize {
        let _ignored = operations;
        0
    }

    /// Takes no more operations, and waits until those that were submitted are done.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.queue.is_inherited() { Ok(()) } else { self.drain(py, None) }
    }

    /// How many operations may be in flight.
    #[getter]
    fn max_requests(&self) -> usize {
        self.queue.max_requests()
    }

    /// How many threads were asked for.
    #[getter]
    fn pool_size(&self) -> i64 {
        self.pool_size
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, this) = (slf.get_type().fully_qualified_name()?, slf.get());
        let (bound, pool_size) = (this.max_requests(), this.pool_size);
        Ok(format!("<{class} at {:p}: max_requests={bound}, pool_size={pool_size}>", slf.as_ptr()))
    }
}

impl Drop for ThreadContext {
    fn drop(&mut self) {
        if self.queue.is_inherited() {
            return;
        }
        Python::try_attach(|py| {
            let waited = self.drain(py, Instant::now().checked_add(MAX_DROP_WAIT));
            if let Err(error) = waited {
                error.write_unraisable(py, None);
            }
        });
    }
}
