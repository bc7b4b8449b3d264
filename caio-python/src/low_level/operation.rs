//! `Operation`: what a low-level context carries out once, and calls back when it is done.

use crate::buffer::{NewBytes, Source};
use crate::operation::{Job, Value, Work};
use crate::sync::lock;
use crate::{errors, file};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};
use std::io;
use std::sync::Mutex;

/// Which backend's operation it is; they differ in what a callback is given, and in what `payload` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// `linux_uring`.
    Uring,
    /// `linux_aio`.
    Aio,
    /// `thread_aio`.
    Thread,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It reads.
    Read,
    /// It writes.
    Write,
    /// It syncs.
    Fsync,
    /// It syncs data.
    Fdsync,
}

impl Mode {
    /// Its name.
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Fsync => "fsync",
            Self::Fdsync => "fdsync",
        }
    }
}

/// An operation of the low level.
#[pyclass(frozen, subclass, weakref, name = "Operation", module = "caio._caio")]
#[derive(Debug)]
pub(crate) struct LowOperation {
    /// Whose it is.
    flavour: Flavour,
    /// What it does.
    mode: Mode,
    /// The number of its file.
    fd: i32,
    /// Where in the file.
    offset: u64,
    /// How many bytes are to be transferred.
    nbytes: usize,
    /// The number that was given for it.
    priority: i64,
    /// How far it has come.
    state: Mutex<State>,
    /// What a write writes.
    payload: Option<Py<PyBytes>>,
    /// What is called when it is done.
    callback: Mutex<Option<Py<PyAny>>>,
    /// The context that carries it out, while it does.
    context: Mutex<Option<Py<PyAny>>>,
}

/// How far an operation has come.
#[derive(Debug)]
enum State {
    /// It was not submitted.
    New(Option<Job>),
    /// It was submitted; with this number in this queue, if in one.
    InFlight(Option<(usize, usize)>),
    /// It has ended: its errno and text, or what was read and how many bytes were transferred.
    Done(Result<Transferred, (i32, String)>),
}

/// What was read, and how many bytes were transferred.
type Transferred = (Option<Py<PyBytes>>, usize);

impl LowOperation {
    /// Makes one that was not submitted.
    fn new(flavour: Flavour, mode: Mode, job: Job, priority: i64, payload: Option<Py<PyBytes>>) -> Self {
        let nbytes = match &job.work {
            Work::ReadNew(bytes) => bytes.room(),
            Work::Write(source) => source.len(),
            _ => 0,
        };
        let (fd, offset) = (job.fd, job.offset);
        let state = Mutex::new(State::New(Some(job)));
        let (callback, context) = (Mutex::new(None), Mutex::new(None));
        Self { flavour, mode, fd, offset, nbytes, priority, state, payload, callback, context }
    }

    /// Whose it is.
    pub(crate) fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The number of its file.
    pub(crate) fn fd(&self) -> i32 {
        self.fd
    }

    /// Whether it was not submitted.
    pub(crate) fn is_new(&self) -> bool {
        matches!(*lock(&self.state), State::New(_))
    }

    /// Takes what is to be done, for the one who carries it out. `None` if somebody has it, or has done it.
    pub(crate) fn claim(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let State::New(job) = &mut *state else {
            return None;
        };
        let job = job.take();
        *state = State::InFlight(None);
        job
    }

    /// It is in a queue.
    pub(crate) fn enter(&self, queue: usize, number: usize, context: Option<Py<PyAny>>) {
        *lock(&self.state) = State::InFlight(Some((queue, number)));
        let before = std::mem::replace(&mut *lock(&self.context), context);
        drop(before);
    }

    /// Its number in a queue.
    pub(crate) fn number_in(&self, queue: usize) -> Option<usize> {
        match *lock(&self.state) {
            State::InFlight(Some((given, number))) if given == queue => Some(number),
            _ => None,
        }
    }

    /// Notes how it has ended. What it no longer refers to is given back, to be dropped.
    pub(crate) fn end(&self, py: Python<'_>, result: io::Result<Value>) -> Option<Py<PyAny>> {
        let done = match result {
            Ok(value) => {
                let count = value.count();
                let bytes = if let Value::Read(bytes) = value { Some(bytes.finish(py)) } else { None };
                Ok((bytes, count))
            }
            Err(error) => Err((errors::errno(&error), errors::text(&error))),
        };
        let before = std::mem::replace(&mut *lock(&self.state), State::Done(done));
        drop(before);
        lock(&self.context).take()
    }

    /// Calls back.
    pub(crate) fn call_back(&self, py: Python<'_>) {
        let argument = match (&*lock(&self.state), self.flavour) {
            (State::Done(Ok((_, count))), _) => i64::try_from(*count).unwrap_or(i64::MAX),
            (State::Done(Err(_)), Flavour::Thread) => -1,
            (State::Done(Err((errno, _))), _) => -i64::from(*errno),
            (State::New(_) | State::InFlight(_), _) => return,
        };
        let callback = lock(&self.callback).as_ref().map(|callback| callback.clone_ref(py));
        if let Some(callback) = callback {
            let callback = callback.bind(py);
            if let Err(error) = callback.call1((argument,)) {
                error.write_unraisable(py, Some(callback));
            }
        }
    }

    /// What was read, with zeros up to what was asked for.
    fn padded(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        let read = match &*lock(&self.state) {
            State::Done(Ok((Some(bytes), _))) => Some(bytes.clone_ref(py)),
            _ => None,
        };
        match read {
            Some(bytes) if bytes.as_bytes(py).len() == self.nbytes => Ok(bytes),
            read => {
                let content = read.as_ref().map_or(&[][..], |bytes| bytes.as_bytes(py));
                let fill = |room: &mut [u8]| {
                    room[..content.len()].copy_from_slice(content);
                    Ok(())
                };
                Ok(PyBytes::new_with(py, self.nbytes, fill)?.unbind())
            }
        }
    }

    /// Refuses while the operation is in flight.
    fn check_rests(&self) -> PyResult<()> {
        if matches!(*lock(&self.state), State::InFlight(_)) {
            return Err(PyRuntimeError::new_err("the operation is in progress"));
        }
        Ok(())
    }
}

#[pymethods]
impl LowOperation {
    /// The result: bytes for a read, a count for a write, None for a sync. Raises the error of one that has failed.
    fn get_value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.check_rests()?;
        let (bytes, count) = match &*lock(&self.state) {
            State::Done(Ok((bytes, count))) => (bytes.as_ref().map(|bytes| bytes.clone_ref(py)), *count),
            State::Done(Err((errno, text))) => return Err(errors::operation_error(py, *errno, text)),
            State::New(_) | State::InFlight(_) => (None, 0),
        };
        match (self.mode, bytes) {
            (Mode::Read, Some(bytes)) => Ok(bytes.into_any()),
            (Mode::Read, None) => Ok(self.padded(py)?.into_any()),
            (Mode::Write, _) => Ok(count.into_pyobject(py)?.into_any().unbind()),
            (Mode::Fsync | Mode::Fdsync, _) => Ok(py.None()),
        }
    }

    /// Sets what is called with the result, a count or a negative error, when the operation is done.
    fn set_callback(&self, callback: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !callback.is_callable() {
            return Err(PyValueError::new_err(format!("{} is not callable", callback.repr()?)));
        }
        let before = lock(&self.callback).replace(callback.clone().unbind());
        drop(before);
        Ok(true)
    }

    /// The number of the file.
    #[getter]
    fn fileno(&self) -> i32 {
        self.fd
    }

    /// Where in the file.
    #[getter]
    fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes are to be transferred; after a read, how many were.
    #[getter]
    fn nbytes(&self) -> usize {
        match (&*lock(&self.state), self.mode) {
            (State::Done(Ok((_, count))), Mode::Read) => *count,
            _ => self.nbytes,
        }
    }

    /// The urgency that was asked for.
    #[getter]
    fn priority(&self) -> i64 {
        self.priority
    }

    /// How many bytes were transferred; negative after an error.
    #[getter]
    fn result(&self) -> i64 {
        match (&*lock(&self.state), self.flavour) {
            (State::Done(Ok((_, count))), _) => i64::try_from(*count).unwrap_or(i64::MAX),
            (State::Done(Err(_)), Flavour::Thread) => -1,
            (State::Done(Err((errno, _))), _) => -i64::from(*errno),
            (State::New(_) | State::InFlight(_), _) => 0,
        }
    }

    /// The errno of one that has failed, or 0.
    #[getter]
    fn error(&self) -> i32 {
        if let State::Done(Err((errno, _))) = &*lock(&self.state) { *errno } else { 0 }
    }

    /// What is written, or what was read.
    #[getter]
    fn payload(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.check_rests()?;
        match self.mode {
            Mode::Read if self.flavour == Flavour::Uring => Ok(Some(self.padded(py)?.into_any())),
            Mode::Read => Ok(Some(PyMemoryView::from(self.padded(py)?.bind(py))?.into_any().unbind())),
            Mode::Write if self.flavour == Flavour::Thread && !self.is_new() => Ok(None),
            Mode::Write => Ok(self.payload.as_ref().map(|payload| payload.clone_ref(py).into_any())),
            Mode::Fsync | Mode::Fdsync => Ok(None),
        }
    }

    /// The context that carries it out, while it does.
    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.context).as_ref().map(|context| context.clone_ref(py))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let Self { fd, offset, .. } = slf.get();
        let (class, mode) = (slf.get_type().fully_qualified_name()?, slf.get().mode.name());
        Ok(format!("<{class} at {:p}: mode=\"{mode}\", fd={fd}, offset={offset}>", slf.as_ptr()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&*lock(&self.callback))?;
        visit.call(&*lock(&self.context))
    }

    fn __clear__(&self) {
        let before = (lock(&self.callback).take(), lock(&self.context).take());
        drop(before);
    }
}

/// The result of an operation object, for a task.
#[derive(Debug)]
pub(crate) struct Outcome(Py<LowOperation>);

impl Outcome {
    /// That of an operation.
    pub(crate) fn new(operation: &Bound<'_, LowOperation>) -> Self {
        Self(operation.clone().unbind())
    }

    /// Takes what is to be done.
    pub(crate) fn claim(&self, _py: Python<'_>) -> Option<Job> {
        self.0.get().claim()
    }

    /// Notes the result, calls back, and gives it to the task.
    pub(crate) fn finish(&self, py: Python<'_>, result: io::Result<Value>) -> PyResult<Py<PyAny>> {
        let operation = self.0.get();
        drop(operation.end(py, result));
        operation.call_back(py);
        operation.get_value(py)
    }

    /// The object, for the collector.
    pub(crate) fn as_ptr(&self) -> *mut pyo3::ffi::PyObject {
        self.0.as_ptr()
    }
}

/// The operations of one backend: a type of its own, so that another's context refuses them.
macro_rules! operation_type {
    ($name:ident, $flavour:expr, $module:literal, $doc:literal) => {
        #[doc = $doc]
        #[pyclass(frozen, extends = LowOperation, name = "Operation", module = $module)]
        #[derive(Debug)]
        pub(crate) struct $name;

        impl $name {
            /// Makes the object.
            fn make(
                py: Python<'_>,
                mode: Mode,
                job: Job,
                priority: i64,
                payload: Option<Py<PyBytes>>,
            ) -> PyResult<Py<Self>> {
                let base = PyClassInitializer::from(LowOperation::new($flavour, mode, job, priority, payload));
                Py::new(py, base.add_subclass(Self))
            }
        }

        #[pymethods]
        impl $name {
            /// An operation that reads at most `nbytes` bytes at `offset`.
            #[staticmethod]
            #[pyo3(signature = (nbytes, fd, offset=None, priority=0))]
            fn read(
                py: Python<'_>,
                nbytes: &Bound<'_, PyAny>,
                fd: &Bound<'_, PyAny>,
                offset: Option<&Bound<'_, PyAny>>,
                priority: i64,
            ) -> PyResult<Py<Self>> {
                let job = job(Work::Fdsync, fd, offset, priority)?;
                let bytes = NewBytes::new(py, file::bytes(nbytes)?)?;
                Self::make(py, Mode::Read, Job { work: Work::ReadNew(bytes), ..job }, priority, None)
            }

            /// An operation that writes bytes at `offset`.
            #[staticmethod]
            #[pyo3(signature = (payload_bytes, fd, offset=None, priority=0))]
            fn write(
                py: Python<'_>,
                payload_bytes: &Bound<'_, PyAny>,
                fd: &Bound<'_, PyAny>,
                offset: Option<&Bound<'_, PyAny>>,
                priority: i64,
            ) -> PyResult<Py<Self>> {
                let bytes = payload_bytes.cast::<PyBytes>();
                let bytes = bytes.map_err(|_| PyValueError::new_err("payload_bytes argument must be bytes"))?;
                let job = job(Work::Write(Source::from_bytes(bytes)), fd, offset, priority)?;
                Self::make(py, Mode::Write, job, priority, Some(bytes.clone().unbind()))
            }

            /// An operation that brings data and metadata to the disk.
            #[staticmethod]
            #[pyo3(signature = (fd, priority=0))]
            fn fsync(py: Python<'_>, fd: &Bound<'_, PyAny>, priority: i64) -> PyResult<Py<Self>> {
                Self::make(py, Mode::Fsync, job(Work::Fsync, fd, None, priority)?, priority, None)
            }

            /// An operation that brings data to the disk.
            #[staticmethod]
            #[pyo3(signature = (fd, priority=0))]
            fn fdsync(py: Python<'_>, fd: &Bound<'_, PyAny>, priority: i64) -> PyResult<Py<Self>> {
                Self::make(py, Mode::Fdsync, job(Work::Fdsync, fd, None, priority)?, priority, None)
            }
        }
    };
}

operation_type!(UringOperation, Flavour::Uring, "caio.linux_uring", "An operation of io_uring.");
operation_type!(AioOperation, Flavour::Aio, "caio.linux_aio", "An operation of linux aio.");
operation_type!(ThreadOperation, Flavour::Thread, "caio.thread_aio", "An operation of thread aio.");

/// What is to be done, with checked numbers.
fn job(work: Work, fd: &Bound<'_, PyAny>, offset: Option<&Bound<'_, PyAny>>, priority: i64) -> PyResult<Job> {
    Ok(Job {
        work,
        fd: file::number(fd)?,
        offset: offset.map_or(Ok(0), file::offset)?,
        priority: file::priority(priority)?,
        timeout: None,
    })
}
