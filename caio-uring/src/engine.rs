//! What carries operations out: the rings, the pool, and the way back to core.

use crate::coalesce::Coalescing;
use crate::prep::{Opcodes, Registered, prep};
use crate::probe::RingConfig;
use crate::ring::{Budget, Flushed, Ring};
use crate::routes::{Completions, Routes};
use crate::shards::Shards;
use caio_core::support::{LazyThread, lock, spawn};
use caio_core::{Completer, Completion, Finished, Key, OpClass, Request, Settings, Submitted};
use caio_sys::eventfd::EventFd;
use caio_thread::{Mailbox, Pool, PoolSettings};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

/// How long a flush that failed is put off where nobody but a driver would repeat it.
const RETRY: Duration = Duration::from_millis(10);

/// What carries operations out.
pub(crate) struct Engine {
    /// Itself, for threads of its own.
    pub(crate) me: Weak<Engine>,
    /// The way back to the table.
    pub(crate) completer: Completer,
    /// The rings. Dropped before what is registered with them.
    pub(crate) shards: Shards,
    /// What was registered with the rings.
    registered: Registered,
    /// How further rings are made.
    config: RingConfig,
    /// What the rings can do.
    pub(crate) opcodes: Opcodes,
    /// What takes what the rings do not.
    pub(crate) pool: Pool,
    /// Where the pool's completions wait for a driver.
    pub(crate) mailbox: Option<Mailbox>,
    /// Signalled by the kernel at completions, and by us when somebody should look.
    pub(crate) event: Arc<EventFd>,
    /// Which way operations take.
    pub(crate) routes: Routes,
    /// How many bytes were asked for by what a polled device reads.
    polled_reads: Mutex<HashMap<Key, usize>>,
    /// The thread that takes completions.
    pub(crate) reaper: LazyThread,
    /// Whether there is more to flush than a caller may be held up for.
    pub(crate) backlog: AtomicBool,
    /// Whether a flush has failed, and is to be repeated later.
    pub(crate) retry: AtomicBool,
    /// Whether a thread sleeps until it is time to repeat a flush.
    retry_waits: AtomicBool,
    /// Whether the context or its driver is gone.
    pub(crate) closing: AtomicBool,
    /// How long a shutdown waits for the kernel.
    pub(crate) drain_limit: Duration,
    /// Whether completions are taken in groups.
    pub(crate) coalescing: Coalescing,
}

/// What opening has found and made.
pub(crate) struct Parts {
    /// The first ring.
    pub(crate) ring: Ring,
    /// How many there may be.
    pub(crate) shards: usize,
    /// How further rings are made.
    pub(crate) config: RingConfig,
    /// What the rings can do.
    pub(crate) opcodes: Opcodes,
    /// What was registered with the ring.
    pub(crate) registered: Registered,
    /// What the kernel signals.
    pub(crate) event: EventFd,
    /// Which way operations take.
    pub(crate) routes: Routes,
    /// How long a shutdown waits for the kernel.
    pub(crate) drain_limit: Duration,
}

impl Engine {
    /// Makes it of its parts.
    pub(crate) fn new(settings: &Settings, completer: Completer, parts: Parts) -> Arc<Self> {
        let Parts { ring, shards, config, opcodes, registered, event, routes, drain_limit } = parts;
        let event = Arc::new(event);
        let mailbox = settings.driven.then(|| {
            let event = Arc::clone(&event);
            Mailbox::new(Arc::new(move || drop(event.signal())))
        });
        let mut pool_settings = PoolSettings::default();
        pool_settings.mailbox = mailbox.clone();
        pool_settings.portable = settings.portable;
        if let Some(threads) = settings.pool_size {
            pool_settings.max_threads = threads;
        }
        let pool = Pool::new(pool_settings, completer.clone());
        if mailbox.is_none() {
            ring.disable_eventfd_if(|| true);
        }
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            completer,
            shards: Shards::new(ring, shards),
            registered,
            config,
            opcodes,
            pool,
            mailbox,
            event,
            routes,
            polled_reads: Mutex::default(),
            reaper: LazyThread::new(),
            backlog: AtomicBool::new(false),
            retry: AtomicBool::new(false),
            retry_waits: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            drain_limit,
            coalescing: Coalescing::default(),
        })
    }

    /// Hands a request to the pool.
    pub(crate) fn submit_to_pool(&self, request: Request) -> Result<Submitted, Finished> {
        self.pool.submit(request).map(|()| Submitted::Alone)
    }

    /// Hands a request to the pool because the ring cannot do it.
    pub(crate) fn fall_back(&self, request: Request) -> Result<Submitted, Finished> {
        self.completer.count_fallback();
        self.submit_to_pool(request)
    }

    /// Stages a request on the ring of the calling thread.
    pub(crate) fn submit_to_ring(
        &self,
        request: Request,
        force_async: bool,
        cost: usize,
    ) -> Result<Submitted, Finished> {
        let (class, depth) = (request.class(), request.direct_depth());
        let entry = prep(&request, &self.opcodes, &self.registered, force_async);
        if self.is_polled() && request.op().is_read() {
            lock(&self.polled_reads).insert(request.key(), request.op().bytes());
        }
        let ring = self.shards.mine(|| self.config.another(&self.event, &self.registered));
        // SAFETY: the table keeps the operation's memory and file until it is completed, which
        // happens once this entry's completion was reaped, or once it was given back.
        if unsafe { ring.stage(entry, cost) }.is_err() {
            return self.fall_back(request);
        }
        let _carried_by_the_kernel = request.into_key();
        Ok(if class == OpClass::Direct { self.coalesce(depth) } else { Submitted::Alone })
    }

    /// Hands what is staged to the kernel. What would hold the caller up too long, or fails for
    /// now, is left to the reaper or the driver.
    pub(crate) fn flush_rings(&self) {
        let mut budget = Budget::new();
        let mut flush = |ring: &Ring| match ring.flush(&mut budget) {
            Flushed::Done => {}
            unfinished => self.after_flush(unfinished),
        };
        match self.shards.only() {
            Some(ring) => flush(ring),
            None => self.shards.iter().for_each(flush),
        }
        if self.is_polled() && self.operations() != 0 {
            self.nudge(); // nobody signals the completions of a device that is polled
        }
    }

    /// Has somebody else go on with a flush.
    #[cold]
    fn after_flush(&self, flushed: Flushed) {
        match flushed {
            Flushed::Done => {}
            Flushed::More => {
                self.backlog.store(true, Ordering::SeqCst);
                self.nudge();
            }
            Flushed::Retry => {
                self.retry.store(true, Ordering::SeqCst);
                if self.mailbox.is_some() { self.nudge_later() } else { self.nudge() }
            }
            Flushed::Dead(_, keys) => keys.into_iter().for_each(|key| {
                self.reissue(key, |request| self.fall_back(request));
            }),
        }
    }

    /// Wakes whoever takes completions.
    pub(crate) fn nudge(&self) {
        drop(self.event.signal());
    }

    /// Wakes the driver after a while, so that its event loop does not spin. Without a thread to be
    /// had it does.
    fn nudge_later(&self) {
        if self.retry_waits.swap(true, Ordering::SeqCst) {
            return;
        }
        let me = Weak::clone(&self.me);
        let wait = move || {
            thread::sleep(RETRY);
            if let Some(engine) = me.upgrade() {
                engine.retry_waits.store(false, Ordering::SeqCst);
                engine.nudge();
            }
        };
        if spawn("caio-retry", wait).is_err() {
            self.retry_waits.store(false, Ordering::SeqCst);
            self.nudge();
        }
    }

    /// Submits an operation once more, by `submit`. Says whether it has ended.
    ///
    /// The kernel has completed it or given it back: its request was used up when it was submitted.
    pub(crate) fn reissue(&self, key: Key, submit: impl FnOnce(Request) -> Result<Submitted, Finished>) -> bool {
        // SAFETY: its completion was reaped, or a flush has given it back; either way the kernel
        // has let go of its memory, and no other request of it is alive.
        unsafe { self.completer.reissue(key, submit) }
    }

    /// Ends a request that the kernel has let go of, without a lock.
    pub(crate) fn end(&self, key: Key, completion: Completion) {
        // SAFETY: its completion was reaped, so the kernel has let go of its memory; of a read, the
        // kernel says how many bytes it wrote.
        unsafe { self.completer.complete(key, completion) }
    }

    /// How many bytes a polled device was asked for by a read that has ended; 0 if it was no read.
    pub(crate) fn asked_of_device(&self, key: Key) -> usize {
        lock(&self.polled_reads).remove(&key).unwrap_or(0)
    }

    /// How many operations the rings have.
    pub(crate) fn operations(&self) -> usize {
        self.shards.iter().map(Ring::operations).sum()
    }

    /// Whether devices are polled for completions.
    pub(crate) fn is_polled(&self) -> bool {
        self.completions() == Completions::Polled
    }

    /// How devices tell of completions.
    pub(crate) fn completions(&self) -> Completions {
        self.config.completions()
    }
}
