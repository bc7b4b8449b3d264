//! Errors of the engine as Python's exceptions.

use pyo3::exceptions::{PyMemoryError, PyOSError, PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rustix::io::Errno;
use std::io::{self, ErrorKind};

/// `caio.errors.OperationError`, which picks the subclass for an errno by itself.
static OPERATION_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The error of an operation that was cancelled.
pub(crate) fn cancelled() -> io::Error {
    Errno::CANCELED.into()
}

/// The system's number of an error.
pub(crate) fn errno(error: &io::Error) -> i32 {
    caio::errno(error).unwrap_or(match error.kind() {
        ErrorKind::TimedOut => Errno::TIMEDOUT.raw_os_error(),
        ErrorKind::InvalidInput => Errno::INVAL.raw_os_error(),
        ErrorKind::OutOfMemory => Errno::NOMEM.raw_os_error(),
        ErrorKind::Unsupported => Errno::NOTSUP.raw_os_error(),
        _ => Errno::CANCELED.raw_os_error(),
    })
}

/// The exception.
pub(crate) fn exception(py: Python<'_>, error: &io::Error) -> PyErr {
    if caio_core::is_closed(error) || caio_core::is_inherited(error) {
        return PyRuntimeError::new_err(error.to_string());
    }
    match (caio::errno(error), error.kind()) {
        (None, ErrorKind::TimedOut) => PyTimeoutError::new_err(error.to_string()),
        (None, ErrorKind::InvalidInput) => PyValueError::new_err(error.to_string()),
        (None, ErrorKind::OutOfMemory) => PyMemoryError::new_err(error.to_string()),
        _ => operation_error(py, errno(error), &text(error)),
    }
}

/// `OperationError(errno, text)`.
pub(crate) fn operation_error(py: Python<'_>, errno: i32, text: &str) -> PyErr {
    let class = OPERATION_ERROR
        .get_or_try_init(py, || -> PyResult<_> { Ok(py.import("caio.errors")?.getattr("OperationError")?.unbind()) });
    match class.and_then(|class| class.bind(py).call1((errno, text))) {
        Ok(error) => PyErr::from_value(error),
        Err(_) => PyOSError::new_err((errno, text.to_owned())),
    }
}

/// What Python says of an error number, or what the engine knows besides.
pub(crate) fn text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_owned(),
        _ => text,
    }
}

/// A context that was closed.
pub(crate) fn closed() -> PyErr {
    PyRuntimeError::new_err("the context is closed")
}

/// A context of the parent process.
pub(crate) fn inherited() -> PyErr {
    PyRuntimeError::new_err("this context belongs to the parent process; make a new one after fork")
}

/// The refusal of a backend.
pub(crate) fn refused(py: Python<'_>, error: &io::Error) -> PyErr {
    let refusal = error.get_ref().and_then(|inner| inner.downcast_ref::<caio::Refusal>());
    match refusal.and_then(caio::Refusal::errno) {
        Some(errno) => operation_error(py, errno, &error.to_string()),
        None if error.kind() == ErrorKind::InvalidInput => PyValueError::new_err(error.to_string()),
        None => PyRuntimeError::new_err(error.to_string()),
    }
}
