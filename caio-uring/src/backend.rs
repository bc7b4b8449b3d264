//! The rings and their pool as core's backend.

use crate::engine::Engine;
use crate::ring::Ring;
use crate::routes::Destination;
use caio_core::{Attempt, Attempted, Backend, Finished, Flush, Key, Request, Submitted};
use std::sync::atomic::Ordering;

// SAFETY: a request goes to the pool, which delivers it once, or to a ring. Of what a ring has,
// each completion is delivered to the completer that the engine was opened with, once, after it was
// reaped; an entry that the kernel has not seen is given back first. At a shutdown the reaper stays
// until all is delivered, or leaks the engine and with it the completer. An attempt is answered by
// caio-thread in the same call.
unsafe impl Backend for Engine {
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        if self.routes.inline { caio_thread::attempt(attempt) } else { attempt.missed() }
    }

    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        match self.routes.choose(&request, &self.opcodes, self.completions()) {
            Destination::Pool { fallback: false } => self.submit_to_pool(request),
            Destination::Ring { force_async, cost } if self.mailbox.is_some() || self.start_reaper() => {
                self.submit_to_ring(request, force_async, cost)
            }
            Destination::Pool { fallback: true } | Destination::Ring { .. } => self.fall_back(request),
        }
    }

    fn flush(&self, how: Flush) {
        match how {
            Flush::WithGroup if self.group_flushes_soon() => {}
            Flush::WithGroup | Flush::Now => self.flush_rings(),
        }
    }

    fn reap(&self) {
        self.reap_some();
    }

    fn arm(&self) {
        self.pool.arm();
        if self.mailbox.is_some() || self.coalescing.is_on() {
            return; // the kernel always signals a driver; the reaper looks by itself
        }
        let mut look = false;
        for ring in self.shards.iter() {
            look |= ring.enable_eventfd();
        }
        if look {
            self.reap_all();
        }
    }

    fn cancel(&self, key: Key) {
        if !self.pool.cancel(key) {
            self.busy_rings().for_each(|ring| ring.stage_cancel(key));
        }
    }

    fn shutdown(&self) {
        if self.closing.swap(true, Ordering::SeqCst) {
            return;
        }
        if self.completer.in_flight() == 0 {
            self.pool.shutdown();
            self.nudge();
        } else if self.start_reaper() {
            self.nudge();
        } else {
            self.stop();
            self.leak();
        }
    }
}

impl Engine {
    /// The rings that have operations.
    fn busy_rings(&self) -> impl Iterator<Item = &Ring> {
        self.shards.iter().filter(|ring| ring.operations() != 0)
    }

    /// Ends what can be ended.
    pub(crate) fn stop(&self) {
        self.pool.shutdown();
        self.cancel_all();
    }

    /// Asks the kernel to cancel everything that the rings have.
    pub(crate) fn cancel_all(&self) {
        self.flush_rings();
        let mut keys = Vec::new();
        for ring in self.busy_rings().filter(|ring| !ring.cancel_all()) {
            if keys.is_empty() {
                self.completer.running_keys(&mut keys);
            }
            keys.iter().for_each(|key| ring.stage_cancel(*key));
        }
        if !keys.is_empty() {
            self.flush_rings();
        }
    }

    /// Whether the kernel has nothing more of ours, and nobody waits for a driver to take the
    /// pool's completions.
    pub(crate) fn is_drained(&self) -> bool {
        self.operations() == 0 && (self.mailbox.is_none() || self.completer.in_flight() == 0)
    }

    /// Nobody will take what the kernel still has: its memory is leaked.
    pub(crate) fn leak(&self) {
        if self.operations() != 0 {
            self.completer.gave_up(self.operations());
            std::mem::forget(self.me.upgrade());
        }
    }
}
