//! The thread that takes completions for futures that have parked.
//!
//! It is started with the first operation that goes to a ring, so that no request is given to a
//! kernel whose answer nobody could take: where no thread can be started, the pool takes the
//! operation, or it fails. It sleeps until the kernel signals a completion, which the kernel does
//! from the moment on when a future parks until nothing is in flight any more. When the context is
//! gone it ends what runs, stays until the kernel has let go of everything, and ends.

use crate::engine::Engine;
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long something that failed is put off at first.
const MIN_PAUSE: Duration = Duration::from_millis(1);
/// How long it is put off at most, and how often cancels are repeated at a shutdown.
const MAX_PAUSE: Duration = Duration::from_millis(100);

impl Engine {
    /// Sees to it that the thread is there. Says whether it is.
    pub(crate) fn start_reaper(&self) -> bool {
        self.reaper.is_started()
            || self.reaper.ensure("caio-reaper", || {
                let engine = self.me.upgrade();
                move || engine.iter().for_each(|engine| Reaper::new(engine).run())
            })
    }
}

/// What the thread has in mind.
struct Reaper<'a> {
    /// What it works for.
    engine: &'a Arc<Engine>,
    /// How long a failed flush was put off last.
    flush_pause: Duration,
    /// How long a failed wait was put off last.
    poll_pause: Duration,
    /// When a shutdown gives up, once it has begun.
    deadline: Option<Instant>,
}

impl<'a> Reaper<'a> {
    /// It begins.
    fn new(engine: &'a Arc<Engine>) -> Self {
        Self { engine, flush_pause: MIN_PAUSE, poll_pause: MIN_PAUSE, deadline: None }
    }

    /// Takes completions until the context is gone and the kernel has let go of everything.
    fn run(&mut self) {
        let engine = self.engine;
        loop {
            drop(engine.event.drain());
            if let Some(mailbox) = &engine.mailbox {
                mailbox.deliver(usize::MAX, &engine.completer);
            }
            engine.reap_all();
            engine.reap_groups();
            if engine.backlog.swap(false, Ordering::SeqCst) {
                engine.flush_rings();
                if engine.backlog.load(Ordering::SeqCst) {
                    continue;
                }
            }
            let failed = self.repeat_flush();
            let closing = engine.closing.load(Ordering::SeqCst);
            if closing && self.is_done() {
                return;
            }
            if engine.is_polled() && engine.operations() != 0 {
                thread::yield_now();
                continue;
            }
            let timeout = if failed { Some(self.flush_pause) } else { closing.then_some(MAX_PAUSE) };
            if !self.wait(timeout) && closing {
                engine.cancel_all();
            }
        }
    }

    /// Repeats a flush that has failed. Says whether it has failed again.
    fn repeat_flush(&mut self) -> bool {
        let retry = &self.engine.retry;
        if retry.swap(false, Ordering::SeqCst) {
            self.engine.flush_rings();
        }
        if !retry.load(Ordering::SeqCst) {
            self.flush_pause = MIN_PAUSE;
            return false;
        }
        // The flush that failed has signalled; the next one is due after the pause, or after the
        // next completion.
        drop(self.engine.event.drain());
        self.flush_pause = (self.flush_pause * 2).min(MAX_PAUSE);
        true
    }

    /// The context is gone: ends what runs, and says whether all has ended or is given up.
    fn is_done(&mut self) -> bool {
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert_with(|| {
            self.engine.stop();
            now + self.engine.drain_limit
        });
        if self.engine.is_drained() {
            return true;
        }
        if now > deadline {
            self.engine.leak();
        }
        now > deadline
    }

    /// Sleeps until it is signalled (`true`), or the time is up. Where the system cannot wait
    /// (`ENOMEM`; `EINVAL` where `RLIMIT_NOFILE` has become 0) it looks again after a pause that
    /// grows.
    fn wait(&mut self, timeout: Option<Duration>) -> bool {
        let mut event = [PollFd::new(self.engine.event.as_fd(), PollEvents::IN)];
        match poll(&mut event, timeout) {
            Ok(count) => {
                self.poll_pause = MIN_PAUSE;
                count != 0
            }
            Err(_) => {
                thread::sleep(self.poll_pause);
                self.poll_pause = (self.poll_pause * 2).min(MAX_PAUSE);
                true
            }
        }
    }
}
