//! What may wait for ever, on Windows: a pipe or a console is waited for in a blocking call.
//!
//! Such a call cannot be ended. It has a thread of its own, of a bounded number, and each file and direction has one call at a
//! time. What has not begun can be cancelled; what has begun ends when the file has an answer.

use crate::requests::{Order, Requests};
use crate::shared::{Shared, copy, shut_down};
use caio_core::support::{lock, spawn};
use caio_core::{Finished, Key, Request};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

/// How many calls wait at a time; more operations wait for these.
const MAX_THREADS: usize = 64;

/// Names a line: a file by [`SharedFd::id`](caio_core::SharedFd::id), and whether it is read.
type LineId = (usize, bool);

/// The operations of one pool that may wait for ever.
#[derive(Default)]
pub(crate) struct Waits(Mutex<State>);

/// What the lock guards.
#[derive(Default)]
struct State {
    /// The operations that have not begun.
    requests: Requests,
    /// Their order, by line. One is there exactly while it is ready or with a thread.
    lines: HashMap<LineId, Order>,
    /// The lines that no thread has taken.
    ready: VecDeque<LineId>,
    /// How many threads there are.
    threads: usize,
    /// Whether nothing may wait any more.
    stopped: bool,
}

impl Waits {
    /// Lets an operation wait in its turn.
    pub(crate) fn submit(&self, pool: &Arc<Shared>, request: Request) -> Result<(), Finished> {
        let (key, line) = (request.key(), (request.fd().id(), request.op().is_read()));
        let mut guard = lock(&self.0);
        let state = &mut *guard;
        if state.stopped {
            drop(guard);
            return Err(request.fail(shut_down()));
        }
        state.requests.insert(request);
        let ready = &mut state.ready;
        let order = state.lines.entry(line).or_insert_with(|| {
            ready.push_back(line);
            Order::default()
        });
        order.push_back(key);
        if state.ready.is_empty() || state.threads == MAX_THREADS {
            return Ok(());
        }
        state.threads += 1;
        drop(guard);
        let shared = Arc::clone(pool);
        spawn("caio-waits", move || shared.waits.run(&shared)).or_else(|error| {
            let mut state = lock(&self.0);
            state.threads -= 1;
            let failed = if state.threads == 0 { state.clear() } else { Vec::new() };
            drop(state);
            let mut own = Ok(());
            for request in failed {
                if request.key() == key {
                    own = Err(request.fail(copy(&error)));
                } else {
                    pool.finish(request.fail(copy(&error)));
                }
            }
            own
        })
    }

    /// Takes an operation out that has not begun.
    pub(crate) fn cancel(&self, key: Key) -> Option<Request> {
        let mut guard = lock(&self.0);
        let state = &mut *guard;
        let request = state.requests.take(key)?;
        if let Some(order) = state.lines.get_mut(&(request.fd().id(), request.op().is_read())) {
            order.left(&state.requests);
        }
        Some(request)
    }

    /// Lets nothing begin any more, and gives back what has not begun.
    pub(crate) fn stop(&self) -> Vec<Request> {
        let mut state = lock(&self.0);
        state.stopped = true;
        state.clear()
    }

    /// No worker is given what waits.
    pub(crate) fn perform(&self, pool: &Arc<Shared>, request: Request) {
        pool.finish(pool.syscalls.perform(request));
    }

    /// No worker is given what waits.
    pub(crate) fn release(&self, _pool: &Arc<Shared>, _request: &Request) {}

    /// A thread, until there is no line for it.
    fn run(&self, pool: &Shared) {
        while let Some(line) = self.next_line() {
            while let Some(request) = self.next(line) {
                pool.finish(pool.syscalls.perform(request));
            }
        }
    }

    /// A line that no thread has; `None` if the thread is to end, and is no longer counted.
    fn next_line(&self) -> Option<LineId> {
        let mut state = lock(&self.0);
        let line = state.ready.pop_front();
        state.threads -= usize::from(line.is_none());
        line
    }

    /// The next operation of a line; `None` if the line is gone.
    fn next(&self, line: LineId) -> Option<Request> {
        let mut guard = lock(&self.0);
        let state = &mut *guard;
        let request = state.lines.get_mut(&line)?.pop(|key| state.requests.take(key));
        if request.is_none() {
            state.lines.remove(&line);
        }
        request
    }
}

impl State {
    /// Takes everything out.
    fn clear(&mut self) -> Vec<Request> {
        self.lines.clear();
        self.ready.clear();
        self.requests.drain()
    }
}
