//! The pool: takes operations over, has enough workers for them, and cancels.

use crate::carrier::Carrier;
use crate::patience::Patience;
use crate::queue::{Kind, Queue};
use crate::{PoolSettings, platform, worker};
use caio_core::{Completer, Finished, Key, Request};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Threads that carry operations out; a cheap clone. None is started before there is work, and none stays without.
///
/// It grows only while work waits and nobody is about to take it. Buffered writes to one file go through one lane, since they would contend
/// for the file's lock; waiting syncs of one file share a system call; what waits for a pipe or a socket occupies no worker. When the
/// last handle is dropped it shuts down, without blocking.
///
/// ```
/// use caio_core::{Completer, Finished, Request};
/// use caio_thread::{Pool, PoolSettings};
/// fn take_over(request: Request, completer: Completer) -> Result<Pool, Finished> {
///     let pool = Pool::new(PoolSettings::default(), completer);
///     pool.submit(request)?;
///     Ok(pool)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Pool(Arc<Handle>);

/// What the clones share; no thread holds it, so that its end is the pool's.
#[derive(Debug)]
struct Handle {
    /// What threads share with it.
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.shutdown();
    }
}

/// What a pool has done so far, for its tests.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Workers that were started.
    pub started: u64,
    /// Workers that there are.
    pub workers: usize,
    /// System calls that brought files to the disk.
    pub syncs: u64,
}

impl Pool {
    /// Makes a pool that delivers through the completer, or into the mailbox of its settings. Starts no thread.
    #[must_use]
    pub fn new(settings: PoolSettings, completer: Completer) -> Self {
        let carrier = platform::carrier(&settings);
        let shared = Shared {
            settings: PoolSettings { max_threads: settings.max_threads.max(1), ..settings },
            completer,
            carrier,
            state: Mutex::new(State::new()),
            work: Condvar::new(),
            ready: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            started: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        };
        Self(Arc::new(Handle { shared: Arc::new(shared) }))
    }

    /// Takes an operation over; it is delivered later, never in the caller's stack.
    ///
    /// # Errors
    /// The request, ended: the pool was shut down, a stream had an answer at once, or there is no thread and none can be started.
    pub fn submit(&self, request: Request) -> Result<(), Finished> {
        let shared = &self.0.shared;
        shared.in_flight.fetch_add(1, Ordering::Relaxed);
        let transfers = request.op().bytes() != 0;
        let taken = if transfers && shared.carrier.may_wait(request.fd()) {
            shared.carrier.submit_stream(shared, request)
        } else {
            shared.enqueue(request)
        };
        shared.deliver_stranded();
        taken.inspect_err(|_| shared.leave())
    }

    /// Tries to end an operation early, and says whether it has one of this key. What is queued or waits for a stream ends as
    /// cancelled; a transfer that has begun goes on.
    pub fn cancel(&self, key: Key) -> bool {
        let shared = &self.0.shared;
        if let Some(request) = shared.carrier.cancel_stream(key) {
            shared.finish(request.cancelled());
            return true;
        }
        let mut state = shared.lock();
        let removed = state.queue.remove(key);
        shared.publish(&state);
        let running = state.running.contains(&key);
        drop(state);
        match removed {
            Some(request) => {
                shared.carrier.released(&request);
                shared.finish(request.cancelled());
                true
            }
            None => running,
        }
    }

    /// A future parks: whoever takes what is queued must not depend on a task's code. For [`Backend::arm`](caio_core::Backend::arm).
    ///
    /// A worker that is delivering is about to look for more, and is not joined by another one before this is called.
    pub fn arm(&self) {
        self.0.shared.arm();
    }

    /// How many operations it has that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Takes no more operations, cancels what has not begun and delivers it; its threads end by themselves. Never blocks, and
    /// may be called again.
    pub fn shutdown(&self) {
        self.0.shared.shutdown();
    }

    /// What it has done so far.
    #[doc(hidden)]
    #[must_use]
    pub fn counters(&self) -> Counters {
        let shared = &self.0.shared;
        Counters {
            started: shared.started.load(Ordering::Relaxed),
            workers: shared.lock().workers,
            syncs: shared.syncs.load(Ordering::Relaxed),
        }
    }
}

/// What the handles and the threads share.
pub(crate) struct Shared {
    /// What it was made with.
    pub(crate) settings: PoolSettings,
    /// The way back.
    completer: Completer,
    /// Who makes the system calls.
    pub(crate) carrier: Box<dyn Carrier>,
    /// What the lock guards. Nothing is delivered and nothing blocks under it.
    state: Mutex<State>,
    /// Workers without work sleep here.
    pub(crate) work: Condvar,
    /// The number of ready jobs, and one more when the pool was shut down: what a waiting worker looks at without the lock.
    pub(crate) ready: AtomicUsize,
    /// Operations that have not ended.
    in_flight: AtomicUsize,
    /// See [`Counters::started`].
    started: AtomicU64,
    /// See [`Counters::syncs`].
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
    /// Whether a worker looks for work without sleeping.
    pub(crate) spinner: Spinner,
    /// Whether that pays off.
    pub(crate) patience: Patience,
    /// What the workers are carrying out.
    pub(crate) running: Vec<Key>,
    /// What has failed because no worker could be started, to be delivered once no lock is held.
    stranded: Vec<(Request, io::Error)>,
    /// Whether it was shut down.
    pub(crate) stopped: bool,
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
            spinner: Spinner::None,
            patience: Patience::new(),
            running: Vec::new(),
            stranded: Vec::new(),
            stopped: false,
        }
    }

    /// Whether more is ready than workers are about to take.
    fn needs_worker(&self, trusted: bool) -> bool {
        let spinning = match self.spinner {
            Spinner::None => false,
            Spinner::Returning => trusted,
            Spinner::Looking => true,
        };
        self.queue.ready() > self.woken + self.starting + usize::from(spinning)
    }
}

/// A worker that nobody needs to wake; at most one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spinner {
    /// There is none.
    None,
    /// It delivers, and is going to look then. Usually that takes less time than a wake-up, but it is in a task's hands.
    Returning,
    /// It looks.
    Looking,
}

/// What a submission needs besides the queue.
#[derive(Debug)]
enum Need {
    /// Nothing: somebody is about to look.
    Nobody,
    /// One who sleeps.
    Woken,
    /// One more.
    Started,
}

impl Shared {
    /// Takes the lock; nothing can poison it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a waiting worker what there is.
    pub(crate) fn publish(&self, state: &State) {
        self.ready.store(state.queue.ready() + usize::from(state.stopped), Ordering::Relaxed);
    }

    /// Queues an operation for the workers. May be called under a lock of the carrier's; `deliver_stranded` must follow.
    pub(crate) fn enqueue(self: &Arc<Self>, request: Request) -> Result<(), Finished> {
        let key = request.key();
        let kind = self.kind(&request);
        let mut state = self.lock();
        if state.stopped {
            drop(state);
            return Err(request.fail(io::Error::other("the pool was shut down")));
        }
        state.queue.push(request, kind);
        let need = self.call_worker(&mut state, true);
        self.publish(&state);
        drop(state);
        self.meet(&need).or_else(|error| self.strand(Some(key), &error))
    }

    /// Wakes or starts the worker that was decided on.
    fn meet(self: &Arc<Self>, need: &Need) -> io::Result<()> {
        match need {
            Need::Nobody => {}
            Need::Woken => self.work.notify_one(),
            Need::Started => self.start_worker()?,
        }
        Ok(())
    }

    /// See [`Pool::arm`].
    fn arm(self: &Arc<Self>) {
        if self.ready.load(Ordering::Relaxed) == 0 {
            return;
        }
        let need = self.call_worker(&mut self.lock(), false);
        if let Err(error) = self.meet(&need) {
            let others = self.strand(None, &error);
            debug_assert!(others.is_ok(), "no operation is ours");
            self.deliver_stranded();
        }
    }

    /// How an operation is to be queued.
    fn kind(&self, request: &Request) -> Kind {
        let (op, fd) = (request.op(), request.fd());
        if op.is_sync() && self.settings.coalesce_syncs && request.priority().is_none() {
            Kind::Sync
        } else if op.is_write() && !fd.is_direct() && !fd.is_stream() {
            Kind::Lane
        } else {
            Kind::Alone
        }
    }

    /// Decides who takes what has become ready.
    fn call_worker(&self, state: &mut State, trusted: bool) -> Need {
        if !state.needs_worker(trusted) {
            Need::Nobody
        } else if state.asleep > 0 {
            state.asleep -= 1;
            state.woken += 1;
            Need::Woken
        } else if state.workers < self.settings.max_threads {
            state.workers += 1;
            state.starting += 1;
            Need::Started
        } else {
            Need::Nobody
        }
    }

    /// Starts a worker, which was counted already.
    fn start_worker(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        std::thread::Builder::new().name("caio-worker".into()).spawn(move || worker::run(&shared))?;
        self.started.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A worker could not be started. If there are others they do it; else everything that waits fails.
    fn strand(&self, key: Option<Key>, error: &io::Error) -> Result<(), Finished> {
        let mut state = self.lock();
        state.workers -= 1;
        state.starting -= 1;
        if state.workers != 0 {
            return Ok(());
        }
        let waiting = state.queue.clear();
        self.publish(&state);
        let mut own = None;
        for request in waiting {
            if Some(request.key()) == key {
                own = Some(request);
            } else {
                state.stranded.push((request, copy(error)));
            }
        }
        drop(state);
        own.map_or(Ok(()), |request| Err(request.fail(copy(error))))
    }

    /// Delivers what has failed for want of a worker. Call it without holding a lock.
    pub(crate) fn deliver_stranded(&self) {
        let mut state = self.lock();
        if state.stranded.is_empty() {
            return;
        }
        let stranded = std::mem::take(&mut state.stranded);
        drop(state);
        for (request, error) in stranded {
            self.carrier.released(&request);
            self.finish(request.fail(error));
        }
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
        drop(catch_unwind(AssertUnwindSafe(|| self.completer.deliver(finished))));
    }

    /// An operation has ended.
    fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// See [`Pool::shutdown`].
    fn shutdown(&self) {
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
        waiting.extend(self.carrier.stop());
        if let Some(mailbox) = &self.settings.mailbox {
            mailbox.close(&self.completer);
        }
        waiting.into_iter().for_each(|request| self.finish(request.cancelled()));
    }
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
