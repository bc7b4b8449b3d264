//! The thread that takes completions for futures that have parked.
//!
//! It is started with the first operation that goes to a ring, so that no request is given to a kernel whose answer nobody could
//! take: where no thread can be started, the pool takes the operation, or it fails. It sleeps until the kernel signals a completion,
//! which the kernel does from the moment on when a future parks until nothing is in flight any more. When the context is gone it
//! stays until the kernel has let go of everything, and ends.

use crate::backend::Engine;
use crate::ring::lock;
use caio_core::Backend;
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long a flush that failed is put off at first.
const SHORT: Duration = Duration::from_millis(1);
/// How long it is put off at most, and how often cancels are repeated at a shutdown.
const LONG: Duration = Duration::from_millis(100);
/// How long a shutdown waits for the kernel. What it has not let go of then is leaked.
const DRAIN: Duration = Duration::from_secs(60);

impl Engine {
    /// Sees to it that the thread is there. Says whether it is.
    pub(crate) fn start_reaper(&self) -> bool {
        if self.reaping.load(Ordering::Acquire) {
            return true;
        }
        let guard = lock(&self.starting);
        let mut there = self.reaping.load(Ordering::Acquire);
        if let Some(engine) = self.me.upgrade().filter(|_| !there) {
            let spawned = thread::Builder::new().name("caio-reaper".to_owned()).spawn(move || reap(&engine));
            there = spawned.is_ok();
            self.reaping.store(there, Ordering::Release);
        }
        drop(guard);
        there
    }

    /// At a shutdown: leaves the rest to the thread. Where there is none, because a driver took completions, and none can be
    /// started, what the kernel still has is leaked.
    pub(crate) fn drain(&self) {
        if !self.is_drained() && !self.start_reaper() {
            std::mem::forget(self.me.upgrade());
        }
    }
}

/// Takes completions until the context is gone and the kernel has let go of everything.
fn reap(engine: &Arc<Engine>) {
    let mut pause = SHORT;
    let mut deadline = None;
    loop {
        drop(engine.event.drain());
        if let Some(mailbox) = &engine.mailbox {
            mailbox.deliver(usize::MAX, &engine.completer);
        }
        engine.harvest_all();
        engine.gather();
        let stuck = engine.stuck.swap(false, Ordering::SeqCst);
        if stuck {
            engine.flush();
        }
        let closing = engine.closing.load(Ordering::SeqCst);
        if closing {
            if engine.is_drained() {
                return;
            }
            let now = Instant::now();
            if now > *deadline.get_or_insert(now + DRAIN) {
                std::mem::forget(Arc::clone(engine));
                return;
            }
        }
        if engine.is_polled() && !engine.is_drained() {
            thread::yield_now();
            continue;
        }
        let again = stuck && engine.stuck.load(Ordering::SeqCst);
        pause = if again { (pause * 2).min(LONG) } else { SHORT };
        let timeout = if again { Some(pause) } else { closing.then_some(LONG) };
        if again {
            // The flush that failed has signalled; the next one is due after the pause, or after the next completion.
            drop(engine.event.drain());
        }
        let woken = poll(&mut [PollFd::new(engine.event.as_fd(), PollEvents::IN)], timeout);
        if woken.is_err() {
            thread::sleep(SHORT);
        }
        if closing && matches!(woken, Ok(0)) {
            engine.cancel_all();
        }
    }
}
