//! What carries operations out: the kernel's context, the pool, and the way back to core.

use crate::reaper::Reaper;
use crate::ring::{Flushed, Ring};
use crate::routes::Routes;
use caio_core::{Completer, Completion, Fact, Finished, Key, Request, Settings, Submitted};
use caio_sys::aio::io_event;
use caio_sys::errno::Meaning;
use caio_thread::{Mailbox, Pool, PoolSettings};
use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// How many events are taken in one call.
const MAX_EVENTS: usize = 32;

thread_local! {
    /// The address of the engine that this thread is flushing; 0 if it is none.
    static FLUSHING: Cell<usize> = const { Cell::new(0) };
}

/// What carries operations out.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Itself, for its thread.
    pub(crate) me: Weak<Engine>,
    /// What the kernel carries out.
    pub(crate) ring: Ring,
    /// Who carries out the rest.
    pub(crate) pool: Pool,
    /// What the pool has finished, where an external event loop takes the completions.
    mailbox: Option<Mailbox>,
    /// The way back to core.
    pub(crate) completer: Completer,
    /// Which operations the kernel is given.
    pub(crate) routes: Routes,
    /// The thread that takes completions.
    pub(crate) reaper: Reaper,
    /// Whether the context or its driver is gone.
    closing: AtomicBool,
}

impl Engine {
    /// Puts it together.
    pub(crate) fn new(
        settings: &Settings,
        completer: Completer,
        ring: Ring,
        reaper: Reaper,
        routes: Routes,
    ) -> Arc<Self> {
        let mailbox = settings.driven.then(|| {
            let completed = Arc::clone(ring.completed());
            Mailbox::new(Arc::new(move || drop(completed.signal())))
        });
        let mut pool = PoolSettings::default();
        pool.portable = settings.portable;
        pool.mailbox = mailbox.clone();
        if let Some(size) = settings.pool_size {
            pool.max_threads = size;
        }
        let pool = Pool::new(pool, completer.clone());
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            ring,
            pool,
            mailbox,
            completer,
            routes,
            reaper,
            closing: AtomicBool::new(false),
        })
    }

    /// Whether an external event loop takes the completions.
    pub(crate) fn is_driven(&self) -> bool {
        self.mailbox.is_some()
    }

    /// Hands a request to the pool.
    pub(crate) fn submit_to_pool(&self, request: Request) -> Result<Submitted, Finished> {
        self.pool.submit(request).map(|()| Submitted::Alone)
    }

    /// Hands a request to the pool because the kernel cannot carry it out asynchronously.
    pub(crate) fn fall_back(&self, request: Request) -> Result<Submitted, Finished> {
        self.completer.count_fallback();
        self.submit_to_pool(request)
    }

    /// Gives the kernel what is staged.
    ///
    /// Delivering a request that neither the kernel nor the pool takes may submit one that waited,
    /// and flush for it: that returns at once, because the flush that it is part of goes on. So
    /// nothing recurses.
    pub(crate) fn flush_ring(&self) {
        let own = ptr::from_ref(self) as usize;
        let outer = FLUSHING.replace(own);
        if outer != own {
            let flushed = self.ring.flush(|key, error| self.settle_refused(key, &error));
            FLUSHING.set(outer);
            match flushed {
                Flushed::Done => {}
                Flushed::More if self.is_driven() && !self.is_closing() => drop(self.ring.completed().signal()),
                Flushed::More => self.reaper.wake(),
            }
        }
    }

    /// Delivers up to `max` completions of the kernel that are there, and flushes. Says how many.
    pub(crate) fn reap_up_to(&self, max: usize) -> usize {
        let mut room = [const { MaybeUninit::<io_event>::uninit() }; MAX_EVENTS];
        let mut delivered = 0;
        while delivered < max {
            let asked = MAX_EVENTS.min(max - delivered);
            let events = self.ring.take(&mut room[..asked]);
            events.iter().for_each(|event| self.settle(event));
            self.ring.delivered(events.len());
            delivered += events.len();
            if events.len() < asked {
                break;
            }
        }
        self.flush_ring();
        delivered
    }

    /// Delivers up to `max` operations that the pool has finished, for a driver. Says how many.
    pub(crate) fn deliver_mailbox(&self, max: usize) -> usize {
        self.mailbox.as_ref().map_or(0, |mailbox| mailbox.deliver(max, &self.completer))
    }

    /// Ends an operation that was withdrawn from the ring.
    pub(crate) fn end_as_cancelled(&self, key: Key) {
        // SAFETY: its request was used up when it was staged, and the kernel has never seen it.
        unsafe { self.completer.reissue(key, |request| Err(request.cancelled())) };
    }

    /// The context or its driver is gone. Says whether it was before.
    pub(crate) fn close(&self) -> bool {
        self.closing.swap(true, Ordering::SeqCst)
    }

    /// Whether the context or its driver is gone.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Tells the reaper, which may be waiting for the kernel's last completion, that somebody else
    /// may have taken it.
    pub(crate) fn tell_if_closing(&self) {
        if self.is_closing() {
            self.reaper.wake();
        }
    }

    /// Ends what can be ended: what the pool has not begun, and what the kernel has not seen.
    pub(crate) fn stop(&self) {
        self.pool.shutdown();
        self.ring.withdraw_all().into_iter().for_each(|key| self.end_as_cancelled(key));
    }

    /// Delivers what the kernel says of a request.
    fn settle(&self, event: &io_event) {
        let key = Key::from_u64(event.data);
        let completion = match event.outcome() {
            Err(error) => match Meaning::of(&error) {
                Meaning::Cancelled if self.completer.is_cancel_asked(key) => Completion::Cancelled,
                // It would have blocked, cannot be done so, or was disturbed.
                Meaning::WouldBlock | Meaning::Unsupported | Meaning::Interrupted | Meaning::Cancelled => {
                    return self.settle_refused(key, &error);
                }
                _ => Completion::Done(Err(error)),
            },
            result => Completion::Done(result),
        };
        // SAFETY: the event says that the kernel has let go of the memory, and how many bytes it
        // has transferred.
        unsafe { self.completer.complete(key, completion) }
    }

    /// Has the pool carry out what the kernel would not. What is wrong with the request itself the
    /// pool finds out as well.
    fn settle_refused(&self, key: Key, error: &io::Error) {
        let fall_back = |request: Request| {
            if Meaning::of(error) == Meaning::Unsupported && request.op().is_write() {
                request.fd().learn(Fact::NowaitDirectWrites, false);
            }
            self.fall_back(request)
        };
        // SAFETY: its request was used up when it was staged; the kernel has refused it, or given
        // it back by an event.
        unsafe { self.completer.reissue(key, fall_back) };
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let left = self.ring.left();
        if left != 0 {
            // The kernel still uses the memory of operations, and nobody will learn when it no
            // longer does: leak it.
            self.completer.gave_up(left);
            std::mem::forget(self.completer.clone());
        }
    }
}
