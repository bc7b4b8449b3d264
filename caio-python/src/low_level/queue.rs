//! Operations in flight of one low-level context, and the list of those that are to be looked at.

use super::operation::LowOperation;
use crate::errors;
use crate::operation::{Ended, Running};
use crate::ready::{Handle, ReadyList};
use crate::sync::{Birth, lock};
use caio::Context;
use pyo3::prelude::*;
use slab::Slab;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};

/// Operations in flight, and the list of those that are to be looked at.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The engine.
    engine: Context,
    /// How many may be in flight.
    max_requests: usize,
    /// Those in flight. Never locked while Python code runs.
    flying: Mutex<Slab<Flying>>,
    /// The numbers of those that are to be looked at.
    list: Arc<ReadyList>,
    /// How many were delivered so far.
    delivered: AtomicU64,
    /// Whether it takes no more.
    closed: AtomicBool,
    /// Where it was made.
    birth: Birth,
}

/// An operation in flight.
#[derive(Debug)]
struct Flying {
    /// The object.
    operation: Py<LowOperation>,
    /// Its future; away while somebody looks at it.
    flight: Option<Flight>,
}

/// The future of an operation in flight.
#[derive(Debug)]
enum Flight {
    /// It runs.
    Running(Box<Running>, Handle),
    /// It has ended, and was not delivered.
    Ended(Box<Ended>),
}

/// How an operation was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It was started.
    Started,
    /// It was submitted before.
    Used,
    /// There is no room.
    Full,
}

impl Queue {
    /// An empty one.
    pub(crate) fn new(engine: Context, max_requests: usize) -> PyResult<Arc<Self>> {
        Ok(Arc::new(Self {
            engine,
            max_requests,
            flying: Mutex::default(),
            list: ReadyList::new()?,
            delivered: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            birth: Birth::here(),
        }))
    }

    /// The list of what is to be looked at.
    pub(crate) fn list(&self) -> &Arc<ReadyList> {
        &self.list
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Context {
        &self.engine
    }

    /// How many may be in flight.
    pub(crate) fn max_requests(&self) -> usize {
        self.max_requests
    }

    /// How many were delivered so far.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// How many operations are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        lock(&self.flying).len()
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight() == 0
    }

    /// Takes no more operations from now on. Whether it did before.
    pub(crate) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::Relaxed)
    }

    /// Whether it takes no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether this is a child process.
    pub(crate) fn is_inherited(&self) -> bool {
        self.birth.is_left()
    }

    /// Refuses to work when it is closed, or in a child process.
    pub(crate) fn check_usable(&self) -> PyResult<()> {
        match (self.is_inherited(), self.is_closed()) {
            (true, _) => Err(errors::inherited()),
            (_, true) => Err(errors::closed()),
            _ => Ok(()),
        }
    }

    /// A number that no other queue has, while this one is there.
    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Starts an operation. `context` is what it refers to until it has ended.
    pub(crate) fn submit(
        &self,
        operation: &Bound<'_, LowOperation>,
        context: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Received> {
        let py = operation.py();
        let low = operation.get();
        if !low.is_new() {
            return Ok(Received::Used);
        }
        if lock(&self.flying).len() >= self.max_requests {
            return Ok(Received::Full);
        }
        let Some(job) = low.claim() else {
            return Ok(Received::Used);
        };
        let running = Box::new(Running::new(py, &self.engine, job)?);
        let flying = Flying { operation: operation.clone().unbind(), flight: None };
        let number = lock(&self.flying).insert(flying);
        low.enter(self.id(), number, context.map(|context| context.clone().unbind()));
        if let Some(ended) = self.look(py, number, running, Handle::new(), 1) {
            self.put(number, Flight::Ended(Box::new(ended)));
            self.list.push([number]);
        }
        Ok(Received::Started)
    }

    /// Looks at a future, and leaves it in its place unless it has ended.
    fn look(
        &self,
        py: Python<'_>,
        number: usize,
        mut running: Box<Running>,
        handle: Handle,
        polls: usize,
    ) -> Option<Ended> {
        for _ in 0..polls {
            handle.begin_poll();
            let mut cx = TaskContext::from_waker(handle.waker());
            if let Poll::Ready(ended) = running.poll(py, Some(&self.engine), &mut cx) {
                drop(running);
                handle.give_back();
                return Some(ended);
            }
            if !handle.is_woken() {
                break;
            }
        }
        // It is in its place before a wake can send anybody to it.
        let mut flying = lock(&self.flying);
        let parked = handle.park(&self.list, number);
        if let Some(flying) = flying.get_mut(number) {
            flying.flight = Some(Flight::Running(running, handle));
        }
        drop(flying);
        if !parked {
            self.list.push([number]);
        }
        None
    }

    /// Puts a future into its place.
    fn put(&self, number: usize, flight: Flight) {
        if let Some(flying) = lock(&self.flying).get_mut(number) {
            flying.flight = Some(flight);
        }
    }

    /// Takes a future from its place.
    fn take(&self, number: usize) -> Option<Flight> {
        lock(&self.flying).get_mut(number)?.flight.take()
    }

    /// Looks at one that is in the list: notes how it has ended, and calls back. Whether it has.
    pub(crate) fn deliver(&self, py: Python<'_>, number: usize) -> bool {
        let ended = match self.take(number) {
            Some(Flight::Ended(ended)) => *ended,
            Some(Flight::Running(running, handle)) => match self.look(py, number, running, handle, usize::MAX) {
                Some(ended) => ended,
                None => return false,
            },
            None => return false,
        };
        let (result, source) = ended;
        drop(source);
        let Some(Flying { operation, .. }) = lock(&self.flying).try_remove(number) else {
            return false;
        };
        let context = operation.get().end(py, result);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        operation.get().call_back(py);
        drop((operation, context));
        true
    }

    /// Asks an operation to end early. Whether it is in flight here.
    pub(crate) fn cancel(&self, py: Python<'_>, operation: &Bound<'_, LowOperation>) -> bool {
        let Some(number) = operation.get().number_in(self.id()) else {
            return false;
        };
        match self.take(number) {
            Some(Flight::Running(mut running, handle)) => {
                running.cancel();
                if let Some(ended) = self.look(py, number, running, handle, 1) {
                    self.put(number, Flight::Ended(Box::new(ended)));
                    self.list.push([number]);
                }
            }
            Some(ended) => self.put(number, ended),
            None => {}
        }
        true
    }

    /// Shows the collector the operations.
    pub(crate) fn traverse(&self, visit: &pyo3::gc::PyVisit<'_>) -> Result<(), pyo3::gc::PyTraverseError> {
        lock(&self.flying).iter().try_for_each(|(_, flying)| visit.call(&flying.operation))
    }

    /// Gives all operations up: nobody is told.
    pub(crate) fn abandon(&self) {
        if !self.is_inherited() {
            let flying = std::mem::take(&mut *lock(&self.flying));
            drop(flying);
        }
    }
}
