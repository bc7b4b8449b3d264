//! What a context, its futures and its backend share.

use crate::backend::Backend;
use crate::completer::Completion;
use crate::key::Key;
use crate::op::{IoPriority, Op};
use crate::platform::Process;
use crate::request::{Finished, Request};
use crate::stats::Counters;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::table::{CancelStep, Released, Table};
use crate::timer::Timer;
use crate::wait::{Patience, Patiences, Seat};
use crate::{SharedFd, error};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::time::Instant;

/// What a context, its futures and its backend share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The operations.
    pub(crate) table: Table,
    /// The counters.
    pub(crate) stats: Counters,
    /// How long futures wait before they park.
    patiences: Patiences,
    /// How many transfers past the page cache have started.
    pub(crate) transfers: AtomicU32,
    /// Whether more than one of them was under way, when one ended last.
    pub(crate) crowded: AtomicBool,
    /// Whether new operations are refused: what the table says, to be read without its lock.
    closed: AtomicBool,
    /// The process that made it.
    process: Process,
    /// The deadlines.
    timer: Timer,
    /// Who carries out; set once it is open. Weak, because the backend owns us.
    backend: OnceLock<Weak<dyn Backend>>,
}

impl Shared {
    /// Makes it for a backend that is about to be opened.
    pub(crate) fn new(max_requests: usize) -> Arc<Self> {
        Arc::new(Self {
            table: Table::new(max_requests),
            stats: Counters::new(),
            patiences: Patiences::new(),
            transfers: AtomicU32::new(0),
            crowded: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            process: Process::current(),
            timer: Timer::new(),
            backend: OnceLock::new(),
        })
    }

    /// Says who carries out, and how much at a time.
    pub(crate) fn attach(&self, backend: Weak<dyn Backend>, max_requests: usize) {
        self.table.set_limit(max_requests);
        let first = self.backend.set(backend);
        debug_assert!(first.is_ok(), "a context has one backend");
    }

    /// Whether this process inherited the context by `fork`. Then no lock may be taken: it may have been held at the fork.
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
        if self.closed.load(Ordering::Relaxed) {
            return Err(error::closed());
        }
        Ok(())
    }

    /// Refuses new operations from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.table.close();
    }

    /// How long a future waits before it parks.
    #[inline]
    pub(crate) fn patience(&self, seat: Seat) -> &Patience {
        self.patiences.of(seat)
    }

    /// Enters an operation without starting it.
    pub(crate) fn stage(&self, op: Op, fd: SharedFd, priority: Option<IoPriority>) -> io::Result<Key> {
        self.table.stage(op, fd, priority).ok_or_else(error::closed)
    }

    /// Enters an operation and starts it, or lets it wait its turn. The caller flushes.
    pub(crate) fn start(
        &self,
        backend: &dyn Backend,
        op: Op,
        fd: SharedFd,
        priority: Option<IoPriority>,
        waker: Option<&Waker>,
    ) -> io::Result<Key> {
        let cancels = self.table.cancels();
        let (key, released) = self.table.start(op, fd, priority, waker.cloned()).ok_or_else(error::closed)?;
        self.run(backend, key, released, cancels);
        Ok(key)
    }

    /// Starts a staged operation, or lets it wait its turn. Says whether it has to. The caller flushes.
    pub(crate) fn release(&self, backend: &dyn Backend, key: Key) -> bool {
        let cancels = self.table.cancels();
        self.run(backend, key, self.table.release(key), cancels)
    }

    /// Submits an operation that may run. Says whether it waits instead.
    fn run(&self, backend: &dyn Backend, key: Key, released: Released, cancels: u64) -> bool {
        match released {
            Released::Run(request) => {
                self.stats.submitted();
                match backend.submit(request) {
                    Ok(()) => self.repeat_cancel(backend, key, cancels),
                    Err(Finished { key, completion }) => drop(self.complete(key, completion)),
                }
                false
            }
            Released::Wait => {
                self.stats.submitted();
                self.stats.waited();
                true
            }
            Released::Refused(waker) => {
                waker.into_iter().for_each(wake);
                false
            }
            Released::Not => false,
        }
    }

    /// An operation has ended: hands its room on, counts, and wakes, all without a lock.
    /// Says whether it has submitted an operation that waited, so that the backend must be flushed.
    pub(crate) fn complete(&self, key: Key, completion: Completion) -> bool {
        let mut submitted = false;
        let mut ended = Some((key, completion));
        while let Some((key, completion)) = ended.take() {
            let cancels = self.table.cancels();
            let effects = self.table.complete(key, completion, &self.stats);
            if let Some(request) = effects.next {
                submitted = true;
                ended = self.submit_waiting(request, cancels).map(|Finished { key, completion }| (key, completion));
            }
            if let Some(waker) = effects.waker {
                wake(waker);
            }
            if let Some((orphan, completion, fd)) = effects.orphan {
                guarded(|| {
                    orphan.discard(completion);
                    drop(fd);
                });
            }
        }
        submitted
    }

    /// Submits an operation that has waited. Gives it back if it has ended already.
    fn submit_waiting(&self, request: Request, cancels: u64) -> Option<Finished> {
        let Some(backend) = self.backend.get().and_then(Weak::upgrade) else {
            return Some(request.cancelled());
        };
        let key = request.key();
        let ended = backend.submit(request).err();
        if ended.is_none() {
            self.repeat_cancel(&*backend, key, cancels);
        }
        ended
    }

    /// Tells the backend of a cancel that came after the operation was to run and before the backend had it.
    fn repeat_cancel(&self, backend: &dyn Backend, key: Key, cancels_before: u64) {
        if self.table.cancels() != cancels_before && self.table.is_running_on_cancel(key) {
            backend.cancel(key);
        }
    }

    /// What was submitted reaches the kernel or the workers.
    pub(crate) fn flush(&self) {
        if let Some(backend) = self.backend.get().and_then(Weak::upgrade) {
            backend.flush();
        }
    }

    /// Asks for an operation to end.
    pub(crate) fn cancel(&self, key: Key) {
        self.apply(key, self.table.cancel(key, false, &self.stats));
    }

    /// An operation's time is up.
    pub(crate) fn expire(&self, key: Key) {
        if !self.is_inherited() {
            self.apply(key, self.table.cancel(key, true, &self.stats));
        }
    }

    /// Does what a cancel brought about.
    fn apply(&self, key: Key, step: CancelStep) {
        let waker = match step {
            CancelStep::Nothing => None,
            CancelStep::Ended(waker) => waker,
            CancelStep::AskBackend(waker) => {
                if let Some(backend) = self.backend.get().and_then(Weak::upgrade) {
                    backend.cancel(key);
                    backend.flush();
                }
                waker
            }
        };
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// Lets an operation expire at a deadline. Where there can be no thread to watch the time, it counts as up.
    pub(crate) fn schedule(self: &Arc<Self>, deadline: Instant, key: Key) {
        for key in self.timer.schedule(deadline, key, self) {
            self.expire(key);
        }
    }

    /// A deadline no longer matters.
    pub(crate) fn unschedule(&self, deadline: Instant, key: Key) {
        self.timer.unschedule(deadline, key);
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

/// Runs somebody else's code; its panic has been reported by the panic hook and goes no further.
fn guarded(code: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(code)));
}
