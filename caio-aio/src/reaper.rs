//! The thread that takes completions when no future looks, and destroys the kernel's context at the
//! end.

use crate::engine::Engine;
use caio_core::support::LazyThread;
use caio_core::{Completer, Key};
use caio_sys::eventfd::EventFd;
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long a wait that failed is put off at first.
const MIN_PAUSE: Duration = Duration::from_millis(1);
/// How long it is put off at most.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// The thread that takes completions. It is started with the first request for the kernel, and
/// always asleep in `poll(2)`.
///
/// It listens to the kernel while a parked future may wait for it. A wake-up that finds nothing,
/// because the futures look for themselves, makes it stop listening once all who had parked are
/// served; the next one that parks wakes it.
#[derive(Debug)]
pub(crate) struct Reaper {
    /// Wakes it.
    wake: EventFd,
    /// The thread itself.
    thread: LazyThread,
    /// Whether a future has parked since it last looked.
    armed: AtomicBool,
    /// Whether it does not listen to the kernel, so that whoever parks must wake it.
    asleep: AtomicBool,
}

/// What the thread listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    /// Those who wake it, and the kernel.
    All,
    /// Those who wake it.
    Wake,
}

impl Reaper {
    /// A thread that is not started.
    ///
    /// # Errors
    /// Those of `eventfd(2)`.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            wake: EventFd::new()?,
            thread: LazyThread::new(),
            armed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
        })
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
    fn is_needed(&self, completer: &Completer, keys: &mut Keys) -> bool {
        // Whoever parked before this has an operation among those that run, or that wait for room.
        let armed = self.armed.swap(false, Ordering::SeqCst);
        let Keys { watched, running } = keys;
        completer.running_keys(running);
        if armed && completer.waiting() != 0 {
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

impl Engine {
    /// Sees to it that the thread is there. Says whether it is.
    pub(crate) fn start_reaper(&self) -> bool {
        self.reaper.thread.ensure("caio-reaper", || {
            let engine: Option<Arc<Engine>> = self.me.upgrade();
            move || engine.iter().for_each(|engine| run(engine))
        })
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
    let reaper = &engine.reaper;
    let mut keys = Keys::default();
    let mut pause = MIN_PAUSE;
    let mut stopped = false;
    loop {
        // What was signalled before these lines is seen below; what is signalled after them ends
        // the wait.
        drop(reaper.wake.drain());
        drop(engine.ring.completed().drain());
        let delivered = engine.reap_up_to(usize::MAX);
        if engine.is_closing() {
            if !stopped {
                engine.stop();
                stopped = true;
            }
            if engine.ring.is_idle() {
                break;
            }
            wait(engine, Listen::All, &mut pause);
            continue;
        }
        let needed = delivered != 0 || reaper.is_needed(&engine.completer, &mut keys) || !reaper.fall_asleep();
        wait(engine, if needed { Listen::All } else { Listen::Wake }, &mut pause);
    }
    engine.ring.destroy();
}

/// Sleeps until something is signalled that it listens to. Where the system cannot wait (`ENOMEM`;
/// `EINVAL` where `RLIMIT_NOFILE` was lowered to nothing) it looks again after a pause that grows.
fn wait(engine: &Engine, listen: Listen, pause: &mut Duration) {
    let wake = PollFd::new(engine.reaper.wake.as_fd(), PollEvents::IN);
    let completed = PollFd::new(engine.ring.completed().as_fd(), PollEvents::IN);
    let count = if listen == Listen::All { 2 } else { 1 };
    if poll(&mut [wake, completed][..count], None).is_ok() {
        *pause = MIN_PAUSE;
    } else {
        thread::sleep(*pause);
        *pause = (*pause * 2).min(MAX_PAUSE);
    }
}
