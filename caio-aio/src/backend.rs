//! Kernel AIO and its pool as core's backend.

use crate::engine::Engine;
use crate::routes::{Destination, Routes};
use caio_core::{Attempt, Attempted, Backend, Finished, Flush, Key, Request, Submitted};

// SAFETY: a request goes to the pool, which delivers it once, or to the kernel. What the kernel has
// is delivered to the completer that the engine was opened with, once, after it was given back by
// an event or refused. At a shutdown the reaper stays until all is delivered; where there is none,
// the completer is leaked. An attempt is answered by caio-thread in the same call.
unsafe impl Backend for Engine {
    /// Not if a test chose who carries it out.
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        if self.routes == Routes::Auto { caio_thread::attempt(attempt) } else { attempt.missed() }
    }

    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        match self.routes.choose(&request) {
            Destination::Pool { fallback: false } => self.submit_to_pool(request),
            // Nothing is given to the kernel that nobody would take back.
            Destination::Kernel { nowait } if self.is_driven() || self.start_reaper() => {
                self.ring.stage(request, nowait);
                Ok(Submitted::Alone)
            }
            Destination::Pool { fallback: true } | Destination::Kernel { .. } => self.fall_back(request),
        }
    }

    fn flush(&self, _how: Flush) {
        self.flush_ring();
        self.tell_if_closing();
    }

    fn reap(&self) {
        self.reap_up_to(usize::MAX);
        self.tell_if_closing();
    }

    fn arm(&self) {
        self.pool.arm();
        if !self.is_driven() {
            self.reaper.arm();
        }
    }

    /// The kernel cannot cancel: what it has runs to its end.
    fn cancel(&self, key: Key) {
        if !self.pool.cancel(key) && self.ring.withdraw(key) {
            self.end_as_cancelled(key);
        }
    }

    /// Everything ends in the background: destroying a kernel context takes tens of milliseconds
    /// even where nothing runs.
    fn shutdown(&self) {
        if self.close() {
            return;
        }
        if self.start_reaper() {
            self.reaper.wake();
        } else {
            // There is no thread to be had. What the kernel still has must not be waited for; see
            // the engine's drop.
            self.stop();
            if self.ring.is_idle() {
                self.ring.destroy();
            }
        }
    }
}
