//! The life of one awaited operation: its first step starts it, and often ends it.

use crate::asyncio_context::AsyncioContext;
use crate::errors;
use crate::event_loop::{self, LoopEvents, Place};
use crate::low_level::Outcome;
use crate::operation::{Ended, Job, Running};
use crate::ready::Handle;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use rustix::io::Errno;
use std::cell::RefCell;
use std::ffi::c_int;
use std::task::{Context as TaskContext, Poll, Waker};

/// What an operation is awaited with.
#[derive(Debug)]
pub(crate) struct Step {
    /// The context that carries it out.
    owner: Py<AsyncioContext>,
    /// The operation object that gets the result, where one was submitted.
    outcome: RefCell<Option<Outcome>>,
    /// What it is called.
    name: &'static str,
    /// How far it has come.
    state: RefCell<State>,
}

/// How far an operation has come.
#[derive(Debug)]
enum State {
    /// It has not started.
    New(Job),
    /// It has not started, and its job is still the operation object's.
    Unclaimed,
    /// It runs.
    Started(Box<Started>),
    /// Its result was given, or it was given up.
    Over,
}

/// An operation that runs.
#[derive(Debug)]
struct Started {
    /// Where its task waits.
    place: Option<Place>,
    /// Its future.
    running: Running,
    /// Its waker.
    handle: Handle,
    /// Whether it was asked to end, because its context was closed.
    cut: bool,
}

/// What a step gives.
#[derive(Debug)]
pub(crate) enum Stepped {
    /// The result.
    Return(Py<PyAny>),
    /// What the task is to wait for: a future, or `None` for the next turn of the loop.
    Yield(Py<PyAny>),
}

impl Step {
    /// One that has not started.
    pub(crate) fn new(owner: Py<AsyncioContext>, name: &'static str, job: Job) -> Self {
        Self { owner, outcome: RefCell::new(None), name, state: RefCell::new(State::New(job)) }
    }

    /// One of an operation object, which was submitted to an asyncio context.
    pub(crate) fn submitted(owner: Py<AsyncioContext>, outcome: Outcome) -> Self {
        Self { owner, outcome: RefCell::new(Some(outcome)), name: "submit", state: RefCell::new(State::Unclaimed) }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether nobody has awaited it.
    pub(crate) fn is_new(&self) -> bool {
        matches!(*self.state.borrow(), State::New(_) | State::Unclaimed)
    }

    /// Starts it, or looks for its end.
    pub(crate) fn advance(&self, py: Python<'_>) -> PyResult<Stepped> {
        match self.state.replace(State::Over) {
            State::New(job) => self.start(py, job),
            State::Unclaimed => {
                let job = self.outcome.borrow().as_ref().and_then(|outcome| outcome.claim(py));
                let submitted = || PyOSError::new_err("Operation was not submitted");
                self.start(py, job.ok_or_else(submitted)?)
            }
            State::Started(started) => self.resume(py, started),
            State::Over => Err(PyRuntimeError::new_err("cannot await an operation that was awaited already")),
        }
    }

    /// Starts it.
    fn start(&self, py: Python<'_>, job: Job) -> PyResult<Stepped> {
        let engine = self.owner.get().engine()?;
        let mut running = Running::new(py, &engine, job)?;
        let handle = Handle::new();
        handle.begin_poll();
        match running.poll(py, Some(&engine), &mut TaskContext::from_waker(handle.waker())) {
            Poll::Ready(ended) => {
                drop(running);
                handle.give_back();
                self.finish(py, ended, false)
            }
            Poll::Pending => self.wait(py, Box::new(Started { place: None, running, handle, cut: false })),
        }
    }

    /// Looks for its end.
    fn resume(&self, py: Python<'_>, mut started: Box<Started>) -> PyResult<Stepped> {
        started.place = None;
        let engine = self.owner.get().engine().ok();
        if engine.is_none() && !started.cut && started.running.may_be_cut() {
            started.cut = true;
            started.running.cancel();
        }
        started.handle.begin_poll();
        match started.running.poll(py, engine.as_deref(), &mut TaskContext::from_waker(started.handle.waker())) {
            Poll::Ready(ended) => {
                let Started { running, handle, cut, .. } = *started;
                drop(running);
                handle.give_back();
                self.finish(py, ended, cut)
            }
            Poll::Pending => self.wait(py, started),
        }
    }

    /// Has the task wait: for a future, or where there is more to do at once, for the loop's next turn.
    fn wait(&self, py: Python<'_>, mut started: Box<Started>) -> PyResult<Stepped> {
        if started.handle.is_woken() {
            self.state.replace(State::Started(started));
            return Ok(Stepped::Yield(py.None()));
        }
        let (future, place) = LoopEvents::park(&event_loop::running(py)?)?;
        let parked = started.handle.park(place.list(), place.number());
        started.place = parked.then_some(place);
        self.state.replace(State::Started(started));
        Ok(Stepped::Yield(if parked { future.unbind() } else { py.None() }))
    }

    /// Gives the result.
    fn finish(&self, py: Python<'_>, (result, source): Ended, cut: bool) -> PyResult<Stepped> {
        if let Some(source) = source {
            source.end(py);
        }
        if let Some(outcome) = self.outcome.take() {
            return outcome.finish(py, result).map(Stepped::Return);
        }
        match result {
            Ok(value) => value.into_object(py).map(Stepped::Return),
            Err(error) if cut && caio::errno(&error) == Some(Errno::CANCELED.raw_os_error()) => Err(errors::closed()),
            Err(error) => Err(errors::exception(py, &error)),
        }
    }

    /// Gives it up: its memory lives until the kernel is done with it. What has not begun is not carried out.
    pub(crate) fn give_up(&self, py: Python<'_>) {
        let State::Started(mut started) = self.state.replace(State::Over) else {
            return;
        };
        started.place = None;
        started.running.cancel();
        let _ended = started.running.poll(py, None, &mut TaskContext::from_waker(Waker::noop()));
        let Started { running, handle, .. } = *started;
        drop(running);
        handle.give_back();
        if let Some(outcome) = self.outcome.take() {
            let _cancelled = outcome.finish(py, Err(errors::cancelled()));
        }
    }

    /// Shows the collector what it owns. Runs no Python code, and counts no references.
    pub(crate) fn traverse(&self, visit: &mut dyn FnMut(*mut ffi::PyObject) -> c_int) -> c_int {
        let place = self.state.try_borrow().ok().and_then(|state| match &*state {
            State::Started(started) => started.place.as_ref().map(Place::events),
            State::New(_) | State::Unclaimed | State::Over => None,
        });
        let outcome = self.outcome.try_borrow().ok().and_then(|outcome| outcome.as_ref().map(Outcome::as_ptr));
        for part in [Some(self.owner.as_ptr()), place, outcome].into_iter().flatten() {
            let result = visit(part);
            if result != 0 {
                return result;
            }
        }
        0
    }
}
