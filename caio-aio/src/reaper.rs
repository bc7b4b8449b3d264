//! The thread that takes completions when no future looks, and destroys the kernel's context at the end.

use crate::engine::Engine;
use caio_core::{Completer, Key};
use caio_sys::eventfd::EventFd;
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the thread rests where the system cannot poll for lack of memory.
const REST: Duration = Duration::from_millis(10);

/// The thread that takes completions. It is started with the first request for the kernel, and always asleep in `poll(2)`.
///
/// It listens to the kernel while a parked future may wait for it. A wake-up that finds nothing, because the futures look for
/// themselves, makes it stop listening once all who had parked are served; the next one that parks wakes it.
#[derive(Debug)]
pub(crate) struct Reaper {
    /// Wakes it.
    wake: EventFd,
    /// Whether it was started.
    started: AtomicBool,
    /// Held while it is being started.
    starting: Mutex<()>,
    /// Whether a future has parked since it last looked.
    armed: AtomicBool,
    /// Whether it does not listen to the kernel, so that whoever parks must wake it.
    asleep: AtomicBool,
}

impl Reaper {
    /// A thread that is not started.
    ///
    /// # Errors
    /// Those of `eventfd(2)`.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            wake: EventFd::new()?,
            started: AtomicBool::new(false),
            starting: Mutex::new(()),
            armed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
        })
    }

    /// Starts it unless it runs; `false` if there is no thread to be had.
    pub(crate) fn is_there(&self, engine: &Arc<Engine>) -> bool {
        if self.started.load(Ordering::Acquire) {
            return true;
        }
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.started.load(Ordering::Acquire) {
            let engine = Arc::clone(engine);
            let spawned = thread::Builder::new().name("caio-reaper".to_owned()).spawn(move || run(&engine));
            self.started.store(spawned.is_ok(), Ordering::Release);
        }
        self.started.load(Ordering::Acquire)
    }

    /// A future parks.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Has it look.
    pub(crate) fn wake(&self) {
        let signalled = self.wake.signal();
        debug_assert!(signalled.is_ok(), "{signalled:?}");
    }

    /// Whether one of those who have parked may still wait.
    fn is_needed(&self, completer: &Completer, max_requests: usize, keys: &mut Keys) -> bool {
        // Whoever parked before this has an operation among those that run, or that wait because the table is full.
        let armed = self.armed.swap(false, Ordering::SeqCst);
        let Keys { watched, running } = keys;
        completer.running_keys(running);
        if armed && running.len() >= max_requests {
            self.armed.store(true, Ordering::SeqCst);
        }
        if armed {
            std::mem::swap(watched, running);
        } else {
            watched.retain(|key| running.binary_search(key).is_ok());
        }
        !watched.is_empty()
    }

    /// Stops listening, unless somebody has parked meanwhile.
    fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        if self.armed.load(Ordering::SeqCst) {
            self.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }
}

/// The operations that the thread thinks of; kept, so that a wake-up allocates nothing.
#[derive(Debug, Default)]
struct Keys {
    /// Those that somebody who has parked may wait for.
    watched: Vec<Key>,
    /// Those that run.
    running: Vec<Key>,
}

/// The thread.
fn run(engine: &Engine) {
    let reaper = engine.reaper();
    let mut keys = Keys::default();
    loop {
        // What was signalled before these lines is seen below; what is signalled after them ends the poll.
        drop(reaper.wake.drain());
        drop(engine.ring().completed().drain());
        let delivered = engine.reap(usize::MAX);
        if engine.is_closing() {
            if engine.ring().is_idle() {
                break;
            }
            sleep(engine, true);
            continue;
        }
        let needed = delivered != 0
            || reaper.is_needed(engine.completer(), engine.max_requests(), &mut keys)
            || !reaper.fall_asleep();
        sleep(engine, needed);
    }
    engine.destroy();
    if engine.is_driven() {
        // The driver may wait for what was delivered here, or will be by the pool.
        drop(engine.ring().completed().signal());
    }
}

/// Sleeps until it is woken, or, if it listens, until the kernel has completed something.
fn sleep(engine: &Engine, listen: bool) {
    let wake = PollFd::new(engine.reaper().wake.as_fd(), PollEvents::IN);
    let completed = PollFd::new(engine.ring().completed().as_fd(), PollEvents::IN);
    let count = if listen { 2 } else { 1 };
    if poll(&mut [wake, completed][..count], None).is_err() {
        thread::sleep(REST);
    }
}
