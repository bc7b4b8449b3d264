//! An event loop of asyncio: it watches the bell of a ready list, and resolves the futures that are in it.

use crate::ready::ReadyList;
use crate::sync::{Birth, lock};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use slab::Slab;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

/// What parked operations of one event loop share. The loop owns it, as the callback of a reader.
#[pyclass(frozen, weakref, module = "caio._caio")]
pub(crate) struct LoopEvents {
    /// What has become ready.
    list: Arc<ReadyList>,
    /// The futures that tasks wait for.
    futures: Mutex<Slab<Py<PyAny>>>,
    /// Where it was made.
    birth: Birth,
}

/// A loop and its events.
struct Known {
    /// The loop.
    event_loop: Py<PyWeakrefReference>,
    /// Its events.
    events: Py<PyWeakrefReference>,
}

/// The loops that were used.
static LOOPS: Mutex<Vec<Known>> = Mutex::new(Vec::new());
/// `asyncio.get_running_loop`.
static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The loop that runs in this thread.
pub(crate) fn running(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let get = RUNNING_LOOP
        .get_or_try_init(py, || Ok::<_, PyErr>(py.import("asyncio")?.getattr("get_running_loop")?.unbind()))?;
    get.bind(py).call0()
}

/// The place of a parked operation: gives its future back.
#[derive(Debug)]
pub(crate) struct Place {
    /// The loop's events.
    events: Py<LoopEvents>,
    /// Its number there.
    number: usize,
}

impl Place {
    /// The list that its wake goes to.
    pub(crate) fn list(&self) -> &Arc<ReadyList> {
        &self.events.get().list
    }

    /// The loop's events, for the collector.
    pub(crate) fn events(&self) -> *mut pyo3::ffi::PyObject {
        self.events.as_ptr()
    }

    /// Its number there.
    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let events = self.events.get();
        if events.birth.is_left() {
            return;
        }
        let future = lock(&events.futures).try_remove(self.number);
        drop(future); // without the lock: it may run Python code
    }
}

impl LoopEvents {
    /// The events of a loop, which are made if it has none.
    pub(crate) fn of<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        let mut held = Vec::new(); // dropped without the lock
        let known = lock(&LOOPS).iter().find_map(|known| {
            let upgraded = known.event_loop.bind(py).upgrade()?;
            let is_same = upgraded.is(event_loop);
            held.push(upgraded);
            is_same.then(|| known.events.bind(py).upgrade())?
        });
        drop(held);
        if let Some(events) = known {
            return Ok(events.cast_into()?);
        }
        Self::watch(event_loop)
    }

    /// Makes events, which the loop watches from now on.
    fn watch<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        let list = ReadyList::new()?;
        let fd = list.bell().as_raw_fd();
        let events = Bound::new(py, Self { list, futures: Mutex::default(), birth: Birth::here() })?;
        event_loop.call_method1(intern!(py, "add_reader"), (fd, &events))?;
        let known = Known {
            event_loop: PyWeakrefReference::new(event_loop)?.unbind(),
            events: PyWeakrefReference::new(&events)?.unbind(),
        };
        let mut loops = lock(&LOOPS);
        let (alive, gone) = std::mem::take(&mut *loops).into_iter().partition::<Vec<_>, _>(|known| known.is_alive(py));
        *loops = alive;
        loops.push(known);
        drop(loops);
        drop(gone);
        Ok(events)
    }

    /// Has a task of the loop wait: gives the future to yield, and its place.
    pub(crate) fn park<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Place)> {
        let py = event_loop.py();
        let events = Self::of(event_loop)?;
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
        let number = lock(&events.get().futures).insert(future.clone().unbind());
        Ok((future, Place { events: events.unbind(), number }))
    }

    /// Has every parked operation of every loop polled again.
    pub(crate) fn wake_all(py: Python<'_>) {
        let known: Vec<_> = lock(&LOOPS).iter().filter_map(|known| known.events.bind(py).upgrade()).collect();
        for events in known {
            if let Ok(events) = events.cast_into::<Self>() {
                let events = events.get();
                let numbers: Vec<_> = lock(&events.futures).iter().map(|(number, _)| number).collect();
                events.list.push(numbers);
            }
        }
    }

    /// This is a child process, whose loops are its parent's.
    pub(crate) fn forget_all() {
        // The lock is taken by threads with the GIL only, as the one that forked; what is in it is left to the parent.
        std::mem::forget(std::mem::take(&mut *lock(&LOOPS)));
    }
}

impl Known {
    /// Whether both are there.
    fn is_alive(&self, py: Python<'_>) -> bool {
        self.event_loop.bind(py).upgrade().is_some() && self.events.bind(py).upgrade().is_some()
    }
}

#[pymethods]
impl LoopEvents {
    /// The bell has rung.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        if self.birth.is_left() {
            return Ok(());
        }
        crate::buffer::end_loans(py);
        let mut numbers = Vec::new();
        self.list.bell().reset();
        self.list.take_all(&mut numbers);
        for number in numbers {
            let future = lock(&self.futures).get(number).map(|future| future.clone_ref(py));
            let Some(future) = future else {
                continue; // its task has left
            };
            let future = future.bind(py);
            if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
                future.call_method1(intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        lock(&self.futures).iter().try_for_each(|(_, future)| visit.call(future))
    }

    fn __clear__(&self) {
        let futures = std::mem::take(&mut *lock(&self.futures));
        drop(futures);
    }
}
