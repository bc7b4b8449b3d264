//! What callers, the reaper and the driver work on together: the kernel's ring, the pool, and the way back to core.

use crate::reaper::Reaper;
use crate::ring::Ring;
use crate::route::{self, Route, Routes};
use caio_core::{Completer, Completion, Finished, Key, Op, Request, SharedFd};
use caio_sys::aio::io_event;
use caio_sys::errno::errno_name;
use caio_thread::{Mailbox, Pool, PoolSettings};
use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many events are taken in one call.
const EVENTS: usize = 32;

thread_local! {
    /// The address of the engine that this thread is flushing; 0 if it is none.
    static FLUSHING: Cell<usize> = const { Cell::new(0) };
}

/// The kernel's ring, the pool, and the way back to core.
#[derive(Debug)]
pub(crate) struct Engine {
    /// What the kernel carries out.
    ring: Ring,
    /// Who carries out the rest.
    pool: Pool,
    /// What the pool has finished, where somebody else's event loop takes the completions.
    mailbox: Option<Mailbox>,
    /// The way back to core.
    completer: Completer,
    /// Which operations the kernel is given.
    routes: Routes,
    /// The thread that takes completions.
    reaper: Reaper,
    /// Whether somebody else's event loop takes the completions.
    driven: bool,
    /// The bound on operations in flight.
    max_requests: usize,
    /// Whether the context has gone.
    closing: AtomicBool,
}

/// What an [`Engine`] is made of.
pub(crate) struct Parts {
    /// What the kernel carries out.
    pub(crate) ring: Ring,
    /// Who carries out the rest, to be made with this.
    pub(crate) pool: PoolSettings,
    /// The way back to core.
    pub(crate) completer: Completer,
    /// Which operations the kernel is given.
    pub(crate) routes: Routes,
    /// The thread that takes completions, not started yet.
    pub(crate) reaper: Reaper,
    /// Whether somebody else's event loop takes the completions.
    pub(crate) driven: bool,
    /// The bound on operations in flight.
    pub(crate) max_requests: usize,
}

impl Engine {
    /// Puts it together.
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts { ring, pool, completer, routes, reaper, driven, max_requests } = parts;
        let mailbox = driven.then(|| {
            let completed = Arc::clone(ring.completed());
            // An eventfd can always be signalled.
            Mailbox::new(Arc::new(move || drop(completed.signal())))
        });
        let mut settings = pool;
        settings.mailbox = mailbox.clone();
        let pool = Pool::new(settings, completer.clone());
        let closing = AtomicBool::new(false);
        Arc::new(Self { ring, pool, mailbox, completer, routes, reaper, driven, max_requests, closing })
    }

    /// What the kernel carries out.
    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The thread that takes completions.
    pub(crate) fn reaper(&self) -> &Reaper {
        &self.reaper
    }

    /// The way back to core.
    pub(crate) fn completer(&self) -> &Completer {
        &self.completer
    }

    /// Whether somebody else's event loop takes the completions.
    pub(crate) fn is_driven(&self) -> bool {
        self.driven
    }

    /// The bound on operations in flight.
    pub(crate) fn max_requests(&self) -> usize {
        self.max_requests
    }

    /// Whether an operation may be finished in its caller's thread: not if the kernel gets it, which would be slower, and not if a
    /// test chose who gets it.
    pub(crate) fn may_be_inline(&self, op: &Op, fd: &SharedFd) -> bool {
        self.routes == Routes::Auto && matches!(self.routes.choose(op, fd), Route::Pool { .. })
    }

    /// A future parks: completions must reach it without anybody's help, unless a driver is to take them.
    pub(crate) fn arm(&self) {
        self.pool.arm();
        if !self.driven {
            self.reaper.arm();
        }
    }

    /// Takes an operation over.
    pub(crate) fn submit(self: &Arc<Self>, request: Request) -> Result<(), Finished> {
        let fallback = match self.routes.choose(request.op(), request.fd()) {
            // Nothing is given to the kernel that nobody would take back.
            Route::Kernel { nowait } if self.driven || self.reaper.is_there(self) => {
                self.ring.queue_up(request, nowait);
                return Ok(());
            }
            Route::Kernel { .. } => true,
            Route::Pool { fallback } => fallback,
        };
        if fallback {
            self.completer.count_fallback();
        }
        self.pool.submit(request)
    }

    /// Gives the kernel what is queued.
    ///
    /// Delivering a request that neither the kernel nor the pool takes may submit one that waited, and flush for it: that returns
    /// at once, because the flush that it is part of goes on until the queue is empty. So nothing recurses.
    pub(crate) fn flush(&self) {
        let own = ptr::from_ref(self) as usize;
        let outer = FLUSHING.replace(own);
        if outer != own {
            self.ring.flush(|key, error| self.hand_to_pool(key, &error));
            FLUSHING.set(outer);
        }
    }

    /// Delivers up to `max` completions of the kernel that are there, and flushes. Says how many.
    pub(crate) fn reap(&self, max: usize) -> usize {
        let mut room = [const { MaybeUninit::<io_event>::uninit() }; EVENTS];
        let mut delivered = 0;
        while delivered < max {
            let asked = EVENTS.min(max - delivered);
            let events = self.ring.take(&mut room[..asked]);
            events.iter().for_each(|event| self.settle(event));
            self.ring.delivered(events.len());
            delivered += events.len();
            if events.len() < asked {
                break;
            }
        }
        self.flush();
        delivered
    }

    /// Delivers up to `max` operations that the pool has finished, for a driver. Says how many.
    pub(crate) fn collect(&self, max: usize) -> usize {
        self.mailbox.as_ref().map_or(0, |mailbox| mailbox.deliver(max, &self.completer))
    }

    /// Tries to end an operation early. The kernel cannot: what it has runs to its end.
    pub(crate) fn cancel(&self, key: Key) {
        if !self.pool.cancel(key) && self.ring.withdraw(key) {
            // SAFETY: the request was turned into its key when it was queued, and the kernel has never seen it.
            let request = unsafe { self.completer.again(key) };
            if let Some(request) = request {
                self.completer.deliver(request.cancelled());
            }
        }
    }

    /// Ends everything, by itself and in the background: destroying a kernel context takes tens of milliseconds even where nothing runs.
    pub(crate) fn shutdown(self: &Arc<Self>) {
        if self.closing.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut keys = Vec::new();
        self.completer.running_keys(&mut keys);
        keys.into_iter().for_each(|key| self.cancel(key));
        self.flush();
        if self.reaper.is_there(self) {
            self.reaper.wake();
        } else {
            // There is no thread to be had. What the kernel still has must not be waited for; see `drop`.
            self.pool.shutdown();
            if self.ring.is_idle() {
                self.ring.destroy();
            }
        }
    }

    /// Whether the context has gone.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Tells the reaper, which may be waiting for the kernel's last completion, that somebody else may have taken it.
    pub(crate) fn tell_if_closing(&self) {
        if self.is_closing() {
            self.reaper.wake();
        }
    }

    /// The kernel has nothing left and will get nothing: frees it. It blocks.
    pub(crate) fn destroy(&self) {
        self.pool.shutdown();
        self.ring.destroy();
    }

    /// Delivers what the kernel says of a request.
    fn settle(&self, event: &io_event) {
        let key = Key::from_u64(event.data);
        match event.outcome() {
            Err(error) if is_cancelled(&error) && self.completer.is_cancel_asked(key) => {
                // SAFETY: the event says that the kernel has let go of the memory; an error initialises nothing.
                unsafe { self.completer.complete(key, Completion::Cancelled) }
            }
            Err(error) if is_refusal(&error) => self.hand_to_pool(key, &error),
            result => {
                // SAFETY: the event says that the kernel has let go of the memory, and how many bytes it has transferred.
                unsafe { self.completer.complete(key, Completion::Done(result)) }
            }
        }
    }

    /// Has the pool carry out what the kernel would not. What is wrong with the request itself the pool finds out as well.
    fn hand_to_pool(&self, key: Key, error: &io::Error) {
        // SAFETY: the request was turned into its key when it was queued; the kernel has rejected it, or given it back by an event.
        let Some(request) = (unsafe { self.completer.again(key) }) else {
            return;
        };
        if error.kind() == io::ErrorKind::Unsupported && request.op().is_write() {
            route::mark_blocking_writes(request.fd());
        }
        self.completer.count_fallback();
        if let Err(finished) = self.pool.submit(request) {
            self.completer.deliver(finished);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.ring.is_idle() {
            // The kernel still uses the memory of operations, and nobody will learn when it no longer does: leak it.
            std::mem::forget(self.completer.clone());
        }
    }
}

/// Whether the kernel says that it has cancelled a request.
fn is_cancelled(error: &io::Error) -> bool {
    error.raw_os_error().and_then(errno_name) == Some("ECANCELED")
}

/// Whether a completion says that the kernel did not try: it would have blocked (`EAGAIN`), cannot do it so (`EOPNOTSUPP`), or was
/// disturbed (`EINTR`, `ECANCELED`).
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, Unsupported, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | Unsupported) || is_cancelled(error)
}
