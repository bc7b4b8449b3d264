//! The backend: routes operations to the ring or the pool, cancels them, and shuts down.

use crate::entry::{self, Opcodes, Registered};
use crate::filesystem::Filesystems;
use crate::gather::Gathering;
use crate::probe::Blueprint;
use crate::ring::{Flushed, Ring, TRANSFER};
use crate::routes::{Route, Routes};
use crate::shards::Shards;
use caio_core::{
    Attempt, Attempted, Backend, BackendKind, Completer, Completion, Finished, Key, Op, Request, Settings, SharedFd,
};
use caio_sys::eventfd::EventFd;
use caio_thread::{Mailbox, Pool, PoolSettings};
use io_uring::opcode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The most bytes that may be copied in the submitter's thread.
const LONGEST_COPY: usize = 64 * 1024;
/// A mark of a file: whether it is prompt was asked.
const ASKED: u32 = 1 << 16;
/// A mark of a file: submitting to it may wait for somebody, see [`Filesystems`].
const SLOW: u32 = 1 << 17;
/// A mark of a file: its device cannot be polled for completions.
pub(crate) const UNPOLLED: u32 = 1 << 18;

/// What carries operations out.
pub(crate) struct Engine {
    /// Itself, for the thread that takes completions.
    pub(crate) me: Weak<Engine>,
    /// The way back to the table.
    pub(crate) completer: Completer,
    /// The rings. Dropped before what is registered with them.
    pub(crate) shards: Shards,
    /// What was registered with the rings.
    registered: Registered,
    /// How further rings are made.
    blueprint: Blueprint,
    /// What the rings can do.
    opcodes: Opcodes,
    /// What takes what the rings do not.
    pool: Pool,
    /// Where the pool's completions wait for a driver.
    pub(crate) mailbox: Option<Mailbox>,
    /// Signalled by the kernel at completions, and by us when somebody should look.
    pub(crate) event: Arc<EventFd>,
    /// Which way operations take.
    routes: Routes,
    /// What was learnt about mounts.
    filesystems: Filesystems,
    /// Whether the thread that takes completions was started.
    pub(crate) reaping: AtomicBool,
    /// Held while that thread is being started.
    pub(crate) starting: Mutex<()>,
    /// Whether a ring has to be flushed again later.
    pub(crate) stuck: AtomicBool,
    /// Whether the context is gone.
    pub(crate) closing: AtomicBool,
    /// Whether completions are taken in groups.
    pub(crate) gathering: Gathering,
}

/// What opening has found and made.
pub(crate) struct Parts {
    /// The first ring.
    pub(crate) ring: Ring,
    /// How many there may be.
    pub(crate) shards: usize,
    /// How further rings are made.
    pub(crate) blueprint: Blueprint,
    /// What the rings can do.
    pub(crate) opcodes: Opcodes,
    /// What was registered with the ring.
    pub(crate) registered: Registered,
    /// What the kernel signals.
    pub(crate) event: EventFd,
    /// Which way operations take.
    pub(crate) routes: Routes,
}

/// Which way an operation takes.
enum Way {
    /// Through the ring; begun in a thread of the kernel's if that is set.
    Ring(bool),
    /// Through the pool; because the ring cannot do it if that is set.
    Pool(bool),
}

impl Engine {
    /// Makes it of its parts.
    pub(crate) fn new(settings: &Settings, completer: Completer, parts: Parts) -> Arc<Self> {
        let Parts { ring, shards, blueprint, opcodes, registered, event, routes } = parts;
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
            ring.mute_if(|| true);
        }
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            completer,
            shards: Shards::new(ring, shards),
            registered,
            blueprint,
            opcodes,
            pool,
            mailbox,
            event,
            routes,
            filesystems: Filesystems::default(),
            reaping: AtomicBool::new(false),
            starting: Mutex::new(()),
            stuck: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            gathering: Gathering::default(),
        })
    }

    /// Which way an operation takes.
    fn way(&self, request: &Request) -> Way {
        let (op, fd) = (request.op(), request.fd());
        let route = match op {
            Op::Read { .. } | Op::Readv { .. } => self.routes.reads,
            Op::Write { .. } | Op::Writev { .. } => self.routes.writes,
            Op::Fsync | Op::Fdatasync => self.routes.syncs,
        };
        let ring = match route {
            Route::Ring => true,
            Route::Pool => false,
            Route::Auto => match op {
                // What is cached is copied in the submitter's thread; a long copy would hold its executor up.
                Op::Read { .. } | Op::Readv { .. } => op.bytes() <= LONGEST_COPY || fd.is_direct() || fd.is_stream(),
                Op::Write { .. } | Op::Writev { .. } => fd.is_direct() || fd.is_stream(),
                Op::Fsync | Op::Fdatasync => false,
            },
        };
        if !ring {
            return Way::Pool(false);
        }
        let polled = self.blueprint.is_polled();
        if !self.opcodes.can(op) || (polled && (op.is_sync() || !fd.is_direct() || fd.hints().marks() & UNPOLLED != 0))
        {
            return Way::Pool(true);
        }
        // Cached bytes are copied while the request is submitted.
        let copies_long = !fd.is_direct() && op.bytes() > LONGEST_COPY;
        Way::Ring(!fd.is_stream() && (copies_long || self.is_slow(fd)))
    }

    /// Whether submitting to a file may wait for somebody.
    fn is_slow(&self, fd: &SharedFd) -> bool {
        let marks = fd.hints().marks();
        if marks & ASKED != 0 {
            return marks & SLOW != 0;
        }
        let slow = !self.filesystems.is_prompt(fd);
        fd.hints().mark(if slow { ASKED | SLOW } else { ASKED });
        slow
    }

    /// Hands a request to the pool.
    pub(crate) fn fall_back(&self, request: Request) -> Result<(), Finished> {
        self.completer.count_fallback();
        self.pool.submit(request)
    }

    /// The ring of the calling thread.
    fn ring(&self) -> &Ring {
        self.shards.mine(|| self.blueprint.another(&self.event, &self.registered))
    }

    /// Wakes whoever takes completions.
    pub(crate) fn nudge(&self) {
        drop(self.event.signal());
    }

    /// Takes over requests that a ring gave back unseen.
    fn reroute(&self, requests: Vec<u64>) {
        for key in
            requests.into_iter().filter(|bits| *bits != crate::ring::UNTOLD).map(|bits| Key::from_u64(bits & !TRANSFER))
        {
            // SAFETY: the ring consumed the request when it was staged, and the kernel has not seen it.
            if let Some(request) = unsafe { self.completer.again(key) } {
                if let Err(finished) = self.fall_back(request) {
                    self.completer.deliver(finished);
                }
            }
        }
    }

    /// Asks the kernel to end everything that the rings have. What comes to the same: what is staged is ended by the kernel too.
    pub(crate) fn cancel_all(&self) {
        let mut keys = Vec::new();
        self.completer.running_keys(&mut keys);
        keys.into_iter().for_each(|key| self.cancel(key));
        self.flush();
    }

    /// Whether the kernel has nothing more of ours, and nobody waits for a driver to take the pool's completions.
    pub(crate) fn is_drained(&self) -> bool {
        let drained = self.shards.iter().all(|ring| ring.outstanding() == 0);
        drained && (self.mailbox.is_none() || self.completer.in_flight() == 0)
    }

    /// Ends a request that the kernel has let go of, without a lock.
    pub(crate) fn end(&self, key: Key, completion: Completion) {
        // SAFETY: its completion was reaped, so the kernel has let go of its memory; of a read, the kernel says how many bytes it wrote.
        unsafe { self.completer.complete(key, completion) }
    }

    /// Whether devices are polled for completions.
    pub(crate) fn is_polled(&self) -> bool {
        self.blueprint.is_polled()
    }
}

impl Backend for Engine {
    fn kind(&self) -> BackendKind {
        BackendKind::Uring
    }

    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        if self.routes.inline { caio_thread::attempt(attempt) } else { attempt.missed() }
    }

    fn submit(&self, request: Request) -> Result<(), Finished> {
        let force_async = match self.way(&request) {
            Way::Ring(force_async) => force_async,
            Way::Pool(false) => return self.pool.submit(request),
            Way::Pool(true) => return self.fall_back(request),
        };
        if self.mailbox.is_none() && !self.start_reaper() {
            return self.fall_back(request);
        }
        let mut entry = entry::prepare(&request, &self.opcodes, &self.registered, force_async);
        if !request.op().is_sync() && !request.fd().is_stream() {
            entry = entry.user_data(request.key().as_u64() | TRANSFER);
        }
        // SAFETY: the table keeps the operation's memory and file until it is completed, which happens once this entry's completion
        // was reaped, or once it was given back.
        match unsafe { self.ring().stage(entry) } {
            Ok(()) => {
                let _carried_by_the_kernel = request.into_key();
                Ok(())
            }
            Err(_) => self.fall_back(request),
        }
    }

    fn flush(&self) {
        for ring in self.shards.iter() {
            match ring.flush() {
                Flushed::Clean => {}
                Flushed::Stuck => {
                    self.stuck.store(true, Ordering::SeqCst);
                    self.nudge();
                }
                Flushed::Barred(_, requests) => self.reroute(requests),
            }
        }
        if self.is_polled() && self.shards.iter().any(|ring| ring.outstanding() != 0) {
            self.nudge(); // nobody signals the completions of a device that is polled
        }
    }

    fn harvest(&self) {
        self.harvest_some();
    }

    fn arm(&self) {
        self.pool.arm();
        if self.mailbox.is_some() || self.gathering.is_on() {
            return; // the kernel always signals a driver; the reaper looks by itself
        }
        let mut look = false;
        for ring in self.shards.iter() {
            look |= ring.notify();
        }
        if look {
            self.harvest_all();
        }
    }

    fn gather(&self) {
        self.call_gatherer();
    }

    fn is_gathering(&self) -> bool {
        self.gathering.is_on()
    }

    fn flush_group(&self) {
        self.flush_if_group();
    }

    fn cancel(&self, key: Key) {
        if self.pool.cancel(key) {
            return;
        }
        for ring in self.shards.iter().filter(|ring| ring.outstanding() != 0) {
            ring.stage_untold(opcode::AsyncCancel::new(key.as_u64()).build());
        }
    }

    fn shutdown(&self) {
        if self.closing.swap(true, Ordering::SeqCst) {
            return;
        }
        self.pool.shutdown();
        self.cancel_all();
        self.nudge();
        self.drain();
    }
}
