//! The threads that call back for `thread_aio`.

use super::queue::Queue;
use crate::sync::lock;
use caio_core::support::spawn;
use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread without work stays.
const LINGER: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// How long the interpreter's end waits for callbacks that run.
const MAX_EXIT_WAIT: Duration = Duration::from_secs(2);

/// Whether the interpreter ends: no thread of ours attaches to it any more.
static EXITING: AtomicBool = AtomicBool::new(false);
/// How many threads of ours are attached, or about to.
static ATTACHED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The dispatcher whose thread this is.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Whether the interpreter ends.
pub(crate) fn is_exiting() -> bool {
    EXITING.load(Ordering::SeqCst)
}

/// The interpreter ends: waits for callbacks that run, and starts no more.
pub(crate) fn exiting(py: Python<'_>) {
    EXITING.store(true, Ordering::SeqCst);
    let end = Instant::now() + MAX_EXIT_WAIT;
    while ATTACHED.load(Ordering::SeqCst) != 0 && Instant::now() < end {
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
}

/// Runs Python code in a thread of ours, unless the interpreter ends.
fn attached(code: impl FnOnce(Python<'_>)) -> bool {
    ATTACHED.fetch_add(1, Ordering::SeqCst);
    let runs = !is_exiting();
    if runs {
        Python::attach(code);
    }
    ATTACHED.fetch_sub(1, Ordering::SeqCst);
    runs
}

/// The threads that call back for one context.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    /// The operations.
    queue: Arc<Queue>,
    /// The most threads.
    max_threads: usize,
    /// How many there are.
    threads: Mutex<Threads>,
    /// Notified when an operation was delivered.
    delivered: Condvar,
    /// Whether the threads are to end once nothing is in flight.
    stopped: AtomicBool,
}

/// The threads of a dispatcher.
#[derive(Debug, Default)]
struct Threads {
    /// How many there are.
    all: usize,
    /// How many of them deliver.
    busy: usize,
}

impl Dispatcher {
    /// One without threads.
    pub(crate) fn new(queue: Arc<Queue>, max_threads: usize) -> Arc<Self> {
        let (threads, delivered) = (Mutex::default(), Condvar::new());
        Arc::new(Self { queue, max_threads, threads, delivered, stopped: AtomicBool::new(false) })
    }

    /// Sees to it that there is a thread for an operation in flight: a callback may keep one as long as it likes.
    pub(crate) fn ensure(self: &Arc<Self>) {
        let threads = lock(&self.threads);
        let needed = threads.all == threads.busy;
        drop(threads);
        if needed {
            self.grow();
        }
    }

    /// Whether this is one of its threads.
    pub(crate) fn is_current(&self) -> bool {
        CURRENT.get() == std::ptr::from_ref(self).addr()
    }

    /// Adds a thread, if there may be one more.
    fn grow(self: &Arc<Self>) {
        let mut threads = lock(&self.threads);
        if threads.all < self.max_threads {
            threads.all += 1;
            drop(threads);
            let this = Arc::clone(self);
            if spawn("caio-callback", move || this.run()).is_err() {
                lock(&self.threads).all -= 1;
            }
        }
    }

    /// Waits until nothing is in flight, no longer than `timeout`. Whether nothing is.
    pub(crate) fn wait_empty(&self, timeout: Duration) -> bool {
        let threads = lock(&self.threads);
        if self.queue.is_empty() {
            return true;
        }
        drop(self.delivered.wait_timeout(threads, timeout).unwrap_or_else(PoisonError::into_inner));
        self.queue.is_empty()
    }

    /// Has the threads end once nothing is in flight.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.queue.list().bell().ring();
    }

    /// What a thread does.
    fn run(self: Arc<Self>) {
        CURRENT.set(std::ptr::from_ref(&*self).addr());
        loop {
            if self.wait() {
                continue;
            }
            let mut threads = lock(&self.threads);
            let stopped = self.stopped.load(Ordering::SeqCst);
            if is_exiting() || self.queue.is_empty() || threads.all > 1 && !stopped {
                threads.all -= 1;
                drop(threads);
                if stopped {
                    self.queue.list().bell().ring(); // the next one ends as well
                }
                break;
            }
        }
    }

    /// Waits for an operation, and delivers it. Whether there was one.
    fn wait(self: &Arc<Self>) -> bool {
        let bell = self.queue.list().bell();
        let _interrupted = poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&LINGER));
        // The bell stays rung while the list is not empty, so that others see it too.
        let Some(number) = self.queue.list().take_first() else {
            bell.reset();
            if !self.queue.list().is_empty() {
                bell.ring();
                return true;
            }
            return false;
        };
        lock(&self.threads).busy += 1;
        if self.queue.in_flight() > 1 {
            self.ensure();
        }
        let runs = attached(|py| {
            crate::buffer::end_loans(py);
            self.queue.deliver(py, number);
        });
        lock(&self.threads).busy -= 1; // whoever is about to wait for a delivery, waits by now
        self.delivered.notify_all();
        runs
    }
}
