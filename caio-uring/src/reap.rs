//! Taking completions, and what becomes of each.

use crate::engine::Engine;
use crate::ring::{Contended, Cqe, Ring};
use caio_core::{Completion, Fact, Key};
use std::io;
use std::sync::atomic::Ordering;

/// How many completions are taken under one lock. The room for them is zeroed each time.
const MAX_BATCH: usize = 16;
/// How many batches of a ring one poll takes.
const MAX_BATCHES: usize = 4;

/// What was taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    /// Operations that have ended.
    pub(crate) delivered: usize,
    /// Completions: also those of cancels, and of operations that are submitted again.
    completions: usize,
    /// Whether somebody wanted to flush meanwhile, and relies on us.
    pub(crate) flush: bool,
}

impl Engine {
    /// Delivers what is there and nobody else is taking, at most some batches of each ring.
    pub(crate) fn reap_some(&self) {
        let grouped = self.coalescing.is_on();
        let waiting = grouped && self.completer.waiting() != 0;
        let mut cqes = [Cqe::default(); MAX_BATCH];
        let mut taken = Taken::default();
        for ring in self.shards.iter() {
            for _ in 0..MAX_BATCHES {
                if self.take_batch(ring, &mut cqes, Contended::Leave, &mut taken) < MAX_BATCH {
                    break;
                }
            }
        }
        if taken.flush || taken.completions != 0 && (waiting || !grouped) {
            self.after_reaping();
        }
    }

    /// Delivers everything that is there.
    pub(crate) fn reap_all(&self) {
        self.reap_up_to(usize::MAX);
    }

    /// Delivers at most `max` operations, and says how many.
    pub(crate) fn reap_up_to(&self, max: usize) -> usize {
        let taken = self.take(max);
        if taken.completions != 0 {
            self.after_reaping();
        }
        taken.delivered
    }

    /// Delivers at most `max` operations. The caller flushes.
    pub(crate) fn take(&self, max: usize) -> Taken {
        let mut cqes = [Cqe::default(); MAX_BATCH];
        let mut taken = Taken::default();
        for ring in self.shards.iter() {
            while taken.delivered < max {
                let room = MAX_BATCH.min(max - taken.delivered);
                if self.take_batch(ring, &mut cqes[..room], Contended::Wait, &mut taken) < room {
                    break;
                }
            }
        }
        taken
    }

    /// Takes completions of a ring, as many as `cqes` has room for, and says how many.
    fn take_batch(&self, ring: &Ring, cqes: &mut [Cqe], contended: Contended, taken: &mut Taken) -> usize {
        ring.poll_device();
        let count = ring.reap(cqes, contended);
        if count != 0 {
            taken.flush |= ring.check_overflow();
            taken.completions += count;
            taken.delivered += cqes[..count].iter().filter(|cqe| self.settle(**cqe)).count();
        }
        count
    }

    /// After deliveries: hands over what they have submitted, and has the kernel signal nothing
    /// where nothing is in flight.
    fn after_reaping(&self) {
        self.flush_rings();
        let enabled = self.mailbox.is_none() && self.shards.iter().any(Ring::is_eventfd_enabled);
        if enabled && self.completer.in_flight() == 0 {
            self.shards.iter().for_each(|ring| ring.disable_eventfd_if(|| self.completer.in_flight() == 0));
        }
    }

    /// Settles one completion. Says whether an operation has ended with it.
    fn settle(&self, cqe: Cqe) -> bool {
        let Some(key) = cqe.key() else {
            return false;
        };
        let asked = if self.is_polled() { self.asked_of_device(key) } else { 0 };
        let Ok(bytes) = usize::try_from(cqe.result) else {
            return self.settle_failed(key, -cqe.result);
        };
        if bytes < asked {
            // Linux before 6.2 says so where there are more, if the device has no queues for
            // polling.
            return self.reissue(key, |request| self.fall_back(request));
        }
        self.end(key, Completion::Done(Ok(bytes)));
        true
    }

    /// Settles a completion that is an error. An answer to nothing that anybody asked sends the
    /// operation to the pool, which asks the file in ways that give a final one.
    fn settle_failed(&self, key: Key, errno: i32) -> bool {
        let cancelled = || self.completer.is_cancel_asked(key) || self.closing.load(Ordering::SeqCst);
        match errno {
            libc::ECANCELED | libc::EINTR | libc::EAGAIN if cancelled() => self.end(key, Completion::Cancelled),
            // The thread that submitted it has exited, and the kernel says so in one of two ways,
            // or can start no thread of its own; a signal reached one of those; there was no
            // memory.
            libc::ECANCELED | libc::EFAULT | libc::EINTR | libc::EAGAIN => {
                return self.reissue(key, |request| self.fall_back(request));
            }
            libc::EOPNOTSUPP if self.is_polled() => {
                return self.reissue(key, |request| {
                    request.fd().learn(Fact::PolledDevice, false);
                    self.fall_back(request)
                });
            }
            // A priority is a hint: that it is forbidden, or not known, fails nothing.
            libc::EPERM | libc::EINVAL => {
                return self.reissue(key, |request| match request.priority() {
                    Some(_) => self.fall_back(request),
                    None => Err(request.fail(io::Error::from_raw_os_error(errno))),
                });
            }
            _ => self.end(key, Completion::Done(Err(io::Error::from_raw_os_error(errno)))),
        }
        true
    }
}
