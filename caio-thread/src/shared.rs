//! What a pool's handles and threads share: the queue, and enough workers for it.

use crate::queue::Queue;
use crate::routes::Route;
use crate::syscalls::Syscalls;
use crate::waits::Waits;
use crate::{PoolSettings, worker};
use caio_core::policy::Adaptive;
use caio_core::support::{cores, guarded, lock, spawn};
use caio_core::{Completer, Finished, Key, OpClass, Request};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// The highest score of a worker's search for work, and what a search in vain costs.
const SEARCH_SCORE: (u32, u32) = (16, 1);

/// What the handles and the threads share.
pub(crate) struct Shared {
    /// What it was made with.
    pub(crate) settings: PoolSettings,
    /// The way back.
    pub(crate) completer: Completer,
    /// Who makes the system calls.
    pub(crate) syscalls: Box<dyn Syscalls>,
    /// What may wait for ever.
    pub(crate) waits: Waits,
    /// Nothing is delivered and nothing blocks under its lock.
    state: Mutex<State>,
    /// Workers without work sleep here.
    pub(crate) work: Condvar,
    /// The number of ready jobs, and one more when the pool was shut down: what a searching worker
    /// reads without the lock.
    pub(crate) ready: AtomicUsize,
    /// Operations that have not ended.
    pub(crate) in_flight: Arc<AtomicUsize>,
    /// See [`Counters::started`](crate::Counters::started).
    pub(crate) started: AtomicU64,
    /// See [`Counters::syncs`](crate::Counters::syncs).
    pub(crate) syncs: AtomicU64,
}

/// What the lock guards.
pub(crate) struct State {
    /// What waits for a worker.
    pub(crate) queue: Queue,
    /// Workers that there are, those being started included.
    pub(crate) workers: usize,
    /// Workers that sleep and that nobody has woken yet.
    pub(crate) asleep: usize,
    /// Workers that were woken and have not come to look yet.
    pub(crate) woken: usize,
    /// Workers that are being started and have not come to look yet.
    pub(crate) starting: usize,
    /// Whether a worker searches for work without sleeping.
    pub(crate) searcher: Searcher,
    /// Whether that pays off.
    searches: Adaptive,
    /// Whether it was shut down.
    pub(crate) stopped: bool,
}

/// A worker that nobody needs to wake; at most one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Searcher {
    /// There is none.
    None,
    /// It delivers, and is going to search then. Usually that takes less time than a wake-up, but
    /// it is in a task's hands.
    Returning,
    /// It searches.
    Searching,
}

/// On whose behalf a worker is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// One that has just queued something: a worker that returns is soon enough.
    Submits,
    /// One that sleeps from now on: a worker that returns may be stuck in a task.
    Parks,
}

/// Who takes what is ready.
#[derive(Debug)]
enum Picked {
    /// Somebody who is about to look.
    Nobody,
    /// A worker that sleeps.
    Sleeper,
    /// A new worker.
    New,
}

impl State {
    /// Nothing waits, nobody is there.
    fn new() -> Self {
        Self {
            queue: Queue::default(),
            workers: 0,
            asleep: 0,
            woken: 0,
            starting: 0,
            searcher: Searcher::None,
            searches: Adaptive::new(SEARCH_SCORE.0, SEARCH_SCORE.1),
            stopped: false,
        }
    }

    /// Whether a worker without work is to search for a moment before it sleeps: not where nobody
    /// else can run meanwhile.
    pub(crate) fn may_search(&self) -> bool {
        self.searcher == Searcher::None && cores() > 1 && self.searches.is_worth_trying()
    }

    /// A search is over; whether something is ready tells whether it paid off.
    pub(crate) fn end_search(&mut self) {
        self.searcher = Searcher::None;
        self.searches.learn(self.queue.ready() != 0);
    }

    /// A worker comes back that was going to search, and finds something or begins.
    pub(crate) fn end_return(&mut self) {
        self.searcher = Searcher::None;
        if self.queue.ready() != 0 {
            self.searches.learn(true);
        }
    }

    /// Whether more is ready than workers are about to take.
    fn needs_worker(&self, caller: Caller) -> bool {
        let searching = match self.searcher {
            Searcher::None => false,
            Searcher::Returning => caller == Caller::Submits,
            Searcher::Searching => true,
        };
        self.queue.ready() > self.woken + self.starting + usize::from(searching)
    }
}

impl Shared {
    /// Has nothing to do yet.
    pub(crate) fn new(settings: PoolSettings, completer: Completer, syscalls: Box<dyn Syscalls>, waits: Waits) -> Self {
        Self {
            settings,
            completer,
            syscalls,
            waits,
            state: Mutex::new(State::new()),
            work: Condvar::new(),
            ready: AtomicUsize::new(0),
            in_flight: Arc::default(),
            started: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        }
    }

    /// Takes the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The way of an operation.
    pub(crate) fn route(&self, request: &Request) -> Route {
        Route::of(request, self.settings.coalesce_syncs)
    }

    /// Tells a searching worker what there is.
    pub(crate) fn publish(&self, state: &State) {
        self.ready.store(state.queue.ready() + usize::from(state.stopped), Ordering::Relaxed);
    }

    /// Queues an operation for the workers. Call it without holding a lock.
    pub(crate) fn enqueue(self: &Arc<Self>, request: Request, route: Route) -> Result<(), Finished> {
        let key = request.key();
        let mut state = self.lock();
        if state.stopped {
            drop(state);
            return Err(request.fail(shut_down()));
        }
        state.queue.push(request, route);
        let picked = self.pick_worker(&mut state, Caller::Submits);
        self.publish(&state);
        drop(state);
        self.wake(&picked).or_else(|error| self.fail_queued(Some(key), &error))
    }

    /// See [`Pool::arm`](crate::Pool::arm).
    pub(crate) fn arm(self: &Arc<Self>) {
        if self.ready.load(Ordering::Relaxed) == 0 {
            return;
        }
        let picked = self.pick_worker(&mut self.lock(), Caller::Parks);
        if let Err(error) = self.wake(&picked) {
            let own = self.fail_queued(None, &error);
            debug_assert!(own.is_ok(), "no operation is ours");
        }
    }

    /// Decides who takes what has become ready.
    fn pick_worker(&self, state: &mut State, caller: Caller) -> Picked {
        if !state.needs_worker(caller) {
            Picked::Nobody
        } else if state.asleep > 0 {
            state.asleep -= 1;
            state.woken += 1;
            Picked::Sleeper
        } else if state.workers < self.settings.max_threads {
            state.workers += 1;
            state.starting += 1;
            Picked::New
        } else {
            Picked::Nobody
        }
    }

    /// Wakes or starts the worker that was picked.
    fn wake(self: &Arc<Self>, picked: &Picked) -> io::Result<()> {
        match picked {
            Picked::Nobody => {}
            Picked::Sleeper => self.work.notify_one(),
            Picked::New => {
                let shared = Arc::clone(self);
                spawn("caio-worker", move || worker::run(&shared))?;
                self.started.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// A worker could not be started. If there are others they do it; else everything that is
    /// queued fails. Gives the caller's own operation back.
    fn fail_queued(self: &Arc<Self>, own: Option<Key>, error: &io::Error) -> Result<(), Finished> {
        let mut state = self.lock();
        state.workers -= 1;
        state.starting -= 1;
        if state.workers != 0 {
            return Ok(());
        }
        let queued = state.queue.clear();
        self.publish(&state);
        drop(state);
        let mut result = Ok(());
        for request in queued {
            if Some(request.key()) == own {
                result = Err(request.fail(copy(error)));
            } else {
                self.discard(request, |request| request.fail(copy(error)));
            }
        }
        result
    }

    /// Ends an operation that no worker will carry out, in the way that the caller says.
    pub(crate) fn discard(self: &Arc<Self>, request: Request, end: impl FnOnce(Request) -> Finished) {
        if request.class() == OpClass::Stream {
            self.waits.release(self, &request);
        }
        self.finish(end(request));
    }

    /// An operation has ended. Call it without holding a lock.
    pub(crate) fn finish(&self, finished: Finished) {
        self.leave();
        let finished = match &self.settings.mailbox {
            Some(mailbox) => match mailbox.put(finished) {
                Ok(()) => return,
                Err(finished) => finished,
            },
            None => finished,
        };
        // Whatever a task's code does, the worker goes on.
        guarded(|| self.completer.deliver(finished));
    }

    /// An operation has ended.
    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// See [`Pool::shutdown`](crate::Pool::shutdown).
    pub(crate) fn shutdown(&self) {
        let mut state = self.lock();
        let first = !std::mem::replace(&mut state.stopped, true);
        let mut waiting = if first { state.queue.clear() } else { Vec::new() };
        state.woken += std::mem::take(&mut state.asleep);
        self.publish(&state);
        drop(state);
        self.work.notify_all();
        if !first {
            return;
        }
        waiting.extend(self.waits.stop());
        if let Some(mailbox) = &self.settings.mailbox {
            mailbox.close(&self.completer);
        }
        waiting.into_iter().for_each(|request| self.finish(request.cancelled()));
    }
}

/// The pool takes nothing any more.
pub(crate) fn shut_down() -> io::Error {
    io::Error::other("the pool was shut down")
}

/// The same error once more.
pub(crate) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}
