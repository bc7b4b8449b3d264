//! What a context, its futures and its backend share.

use crate::Submitted;
use crate::backend::{Backend, Drive, Flush};
use crate::completer::Completion;
use crate::error;
use crate::key::Key;
use crate::platform::Process;
use crate::policy::WaitPolicies;
use crate::request::{Finished, Request};
use crate::stats::{Count, Counters};
use crate::support::{cores, guarded};
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::table::{Admitted, Bound, Described, Effects, Rare, Table};
use crate::timer::Timer;
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

/// New operations are taken.
const OPEN: u8 = 0;
/// The context was closed.
const CLOSED: u8 = 1;
/// The driver was dropped.
const DRIVER_GONE: u8 = 2;

/// What a context, its futures and its backend share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The operations.
    pub(crate) table: Table,
    /// The counters.
    pub(crate) stats: Counters,
    /// How futures wait.
    pub(crate) policies: WaitPolicies,
    /// Whether futures may spin and yield before they park: not where that would only keep others
    /// from the one processor.
    pub(crate) may_spin: bool,
    /// Whether new operations are refused, and why: what the table says, to be read without its
    /// lock.
    closed: AtomicU8,
    /// The process that made it.
    process: Process,
    /// The deadlines.
    timer: Timer,
    /// Who carries out; set once it is open. Weak, because the backend owns us.
    backend: OnceLock<Weak<dyn Backend>>,
    /// Who takes completions, where an external event loop does. Weak, because it owns us.
    drive: OnceLock<Weak<dyn Drive>>,
    /// Whether a driver waits, and is to be told when nothing is in flight.
    driver_waits: AtomicBool,
}

impl Shared {
    /// Makes it for a backend that is about to be opened.
    pub(crate) fn new(max_requests: usize, may_spin: bool) -> Arc<Self> {
        Arc::new(Self {
            table: Table::new(max_requests),
            stats: Counters::new(),
            policies: WaitPolicies::new(),
            may_spin: may_spin && !cfg!(loom) && cores() > 1,
            closed: AtomicU8::new(OPEN),
            process: Process::current(),
            timer: Timer::new(),
            backend: OnceLock::new(),
            drive: OnceLock::new(),
            driver_waits: AtomicBool::new(false),
        })
    }

    /// Says who carries out, how much at a time, and who takes completions.
    pub(crate) fn attach(&self, backend: Weak<dyn Backend>, max_requests: usize, drive: Option<Weak<dyn Drive>>) {
        self.table.set_limit(max_requests);
        let first = self.backend.set(backend);
        debug_assert!(first.is_ok(), "a context has one backend");
        if let Some(drive) = drive {
            let first = self.drive.set(drive);
            debug_assert!(first.is_ok(), "a context has one driver");
        }
    }

    /// Whether this process inherited the context by `fork`. Then no lock may be taken: it may have
    /// been held at the fork.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.process.is_left()
    }

    /// Refuses to work in a child process, or after a close.
    #[inline]
    pub(crate) fn check_usable(&self) -> io::Result<()> {
        if self.is_inherited() {
            return Err(error::inherited());
        }
        match self.closed.load(Ordering::Relaxed) {
            OPEN => Ok(()),
            CLOSED => Err(error::closed()),
            _ => Err(error::driver_gone()),
        }
    }

    /// Whether new operations are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) != OPEN
    }

    /// Refuses new operations from now on.
    pub(crate) fn close(&self) {
        let _closed_before = self.closed.compare_exchange(OPEN, CLOSED, Ordering::Relaxed, Ordering::Relaxed);
        self.table.close(error::closed);
    }

    /// The driver is gone: nobody takes completions any more. New operations are refused, those
    /// that wait for room end, and the backend ends what it has by a thread of its own.
    pub(crate) fn lose_driver(&self) {
        self.closed.store(DRIVER_GONE, Ordering::Relaxed);
        self.table.close(error::driver_gone);
        let (wakers, effects) = self.table.refuse_waiting(&self.stats);
        self.backend().into_iter().for_each(|backend| backend.shutdown());
        wakers.into_iter().for_each(wake);
        self.tell(effects);
    }

    /// The error of an operation that was cancelled.
    pub(crate) fn cancelled(&self) -> io::Error {
        if self.closed.load(Ordering::Relaxed) == DRIVER_GONE { error::driver_gone() } else { error::cancelled() }
    }

    /// Enters an operation and admits it. `entered` is told its key before the backend is.
    pub(crate) fn start(
        self: &Arc<Self>,
        backend: &dyn Backend,
        described: Described,
        waker: Option<&Waker>,
        entered: impl FnOnce(Key),
    ) -> io::Result<Submitted> {
        let cancels = self.table.cancels();
        let (key, admitted, limit) = self.table.start(described, waker.cloned())?;
        entered(key);
        Ok(self.run(backend, key, (admitted, limit), cancels).unwrap_or(Submitted::Alone))
    }

    /// Admits a staged operation. `None` if it waits for room. The caller flushes.
    pub(crate) fn admit(self: &Arc<Self>, backend: &dyn Backend, key: Key) -> Option<Submitted> {
        let cancels = self.table.cancels();
        self.run(backend, key, self.table.admit(key), cancels)
    }

    /// Submits an operation that was admitted. `None` if it waits instead.
    fn run(
        self: &Arc<Self>,
        backend: &dyn Backend,
        key: Key,
        (admitted, limit): (Admitted, Option<Duration>),
        cancels: u64,
    ) -> Option<Submitted> {
        if let Some(limit) = limit {
            self.schedule(limit, key);
        }
        match admitted {
            Admitted::Run(request) => {
                self.stats.add(Count::Submitted, 1);
                match backend.submit(request) {
                    Ok(submitted) => {
                        self.repeat_cancel(backend, key, cancels);
                        return Some(submitted);
                    }
                    Err(Finished { key, completion }) => drop(self.complete(key, completion)),
                }
                Some(Submitted::Alone)
            }
            Admitted::Queued => {
                self.stats.add(Count::Submitted, 1);
                self.stats.add(Count::Waited, 1);
                None
            }
            Admitted::Gone(waker) => {
                waker.into_iter().for_each(wake);
                Some(Submitted::Alone)
            }
        }
    }

    /// An operation has ended: hands its room on, counts, and wakes, all without a lock.
    /// Says whether it has submitted an operation that waited, so that the backend must be flushed.
    pub(crate) fn complete(&self, key: Key, completion: Completion) -> bool {
        let mut submitted = false;
        let mut cancels = self.table.cancels();
        let (mut effects, mut next) = self.table.complete(key, completion, &self.stats);
        while let Some(request) = next.take() {
            submitted = true;
            let class = request.class();
            let bound = Bound::of(class, request.op().is_read());
            let ended = self.submit_waiting(request, cancels);
            self.table.submitted(bound, class);
            self.tell(std::mem::take(&mut effects));
            cancels = self.table.cancels();
            match ended {
                Some(Finished { key, completion }) => {
                    (effects, next) = self.table.complete(key, completion, &self.stats);
                }
                None => next = self.table.admit_next(bound),
            }
        }
        self.tell(effects);
        submitted
    }

    /// Tells others of what has happened. Runs their code, and is called without a lock.
    pub(crate) fn tell(&self, effects: Effects) {
        let Effects { waker, idle, rare, .. } = effects;
        if idle && self.driver_waits.load(Ordering::SeqCst) {
            self.drive.get().and_then(Weak::upgrade).into_iter().for_each(|drive| drive.notify());
        }
        if let Some(rare) = rare {
            tell_rare(*rare);
        }
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// Submits an operation that has waited. Gives it back if it has ended already.
    fn submit_waiting(&self, request: Request, cancels: u64) -> Option<Finished> {
        let Some(backend) = self.backend() else {
            return Some(request.cancelled());
        };
        let key = request.key();
        let ended = backend.submit(request).err();
        if ended.is_none() {
            self.repeat_cancel(&*backend, key, cancels);
        }
        ended
    }

    /// See [`Completer::reissue`](crate::Completer::reissue).
    pub(crate) fn reissue(&self, key: Key, submit: impl FnOnce(Request) -> Result<Submitted, Finished>) -> bool {
        let Some(request) = self.table.reissue(key) else {
            return true;
        };
        match submit(request) {
            Ok(_) => {
                // A cancel that came after the kernel had lost the operation has found nothing.
                if self.table.is_running_on_cancel(key) {
                    self.backend().into_iter().for_each(|backend| backend.cancel(key));
                }
                false
            }
            Err(Finished { key, completion }) => {
                if self.complete(key, completion) {
                    self.flush();
                }
                true
            }
        }
    }

    /// Tells the backend of a cancel that came after the operation was to run and before the
    /// backend had it.
    fn repeat_cancel(&self, backend: &dyn Backend, key: Key, cancels_before: u64) {
        if self.table.cancels() != cancels_before && self.table.is_running_on_cancel(key) {
            backend.cancel(key);
        }
    }

    /// Who carries out, while it is there.
    fn backend(&self) -> Option<Arc<dyn Backend>> {
        self.backend.get().and_then(Weak::upgrade)
    }

    /// What was submitted reaches the kernel or the workers.
    pub(crate) fn flush(&self) {
        if let Some(backend) = self.backend() {
            backend.flush(Flush::Now);
        }
    }

    /// Asks for an operation to end.
    pub(crate) fn cancel(&self, key: Key) {
        self.ask_cancel(key, false);
    }

    /// An operation's time is up.
    pub(crate) fn expire(&self, key: Key) {
        if !self.is_inherited() {
            self.ask_cancel(key, true);
        }
    }

    /// Asks for an operation to end, because its time is up or because somebody wants it.
    fn ask_cancel(&self, key: Key, expired: bool) {
        let effects = self.table.cancel(key, expired, &self.stats);
        if effects.ask_backend {
            if let Some(backend) = self.backend() {
                backend.cancel(key);
                backend.flush(Flush::Now);
            }
        }
        self.tell(effects);
    }

    /// An operation may take so long, from when it starts or from now on.
    pub(crate) fn limit(self: &Arc<Self>, key: Key, timeout: Duration) {
        if self.table.set_timeout(key, timeout) {
            self.schedule(timeout, key);
        }
    }

    /// Lets an operation expire after a time, which begins now. Where there can be no thread to watch
    /// it, it counts as up.
    fn schedule(self: &Arc<Self>, limit: Duration, key: Key) {
        let Some(deadline) = Instant::now().checked_add(limit) else {
            return;
        };
        for key in self.timer.schedule(deadline, key, self) {
            self.expire(key);
        }
        if !self.table.contains(key) {
            self.unschedule(key); // it has ended meanwhile, and its future has looked for no deadline
        }
    }

    /// An operation's deadline no longer matters. Gives it, if there was one.
    pub(crate) fn unschedule(&self, key: Key) -> Option<Instant> {
        self.timer.unschedule(key)
    }

    /// Waits for a driver's descriptor, unless nothing is in flight. `wait` is what waits.
    pub(crate) fn while_driver_waits(&self, wait: impl FnOnce() -> io::Result<bool>) -> io::Result<bool> {
        self.driver_waits.store(true, Ordering::SeqCst);
        // Whoever ends the last operation looks at the flag after it; we look at the operations
        // after the flag.
        let waited = if self.table.running() == 0 { Ok(true) } else { wait() };
        self.driver_waits.store(false, Ordering::SeqCst);
        waited
    }

    /// Ends what runs on behalf of the context itself.
    pub(crate) fn stop(&self) {
        self.timer.stop();
    }
}

/// Wakes a task; a waker that panics stops nobody else.
pub(crate) fn wake(waker: Waker) {
    guarded(|| waker.wake());
}

/// Tells others of what seldom happens.
#[cold]
fn tell_rare(Rare { orphan, drained }: Rare) {
    if let Some((orphan, completion, fd)) = orphan {
        guarded(|| orphan.discard(completion));
        drop(fd);
    }
    drained.into_iter().for_each(|(_, waker)| wake(waker));
}
