//! Taking completions, and what becomes of each.

use crate::backend::{Engine, UNPOLLED};
use crate::ring::{Cqe, Ring, TRANSFER, UNTOLD};
use caio_core::{Backend, Completion, Key};
use std::io;
use std::sync::atomic::Ordering;

/// How many completions are taken under one lock.
const BATCH: usize = 64;

impl Engine {
    /// Delivers what is there and nobody else is taking, at most a batch a ring.
    pub(crate) fn harvest_some(&self) {
        let mut cqes = [Cqe::default(); BATCH];
        let mut taken = 0;
        let waiting = self.gathering.is_on() && self.completer.waiting() != 0;
        for ring in self.shards.iter() {
            ring.poll_device();
            let count = ring.reap(&mut cqes, false);
            cqes[..count].iter().for_each(|cqe| {
                self.settle(*cqe);
            });
            taken += count;
        }
        if taken != 0 && (waiting || !self.gathering.is_on()) {
            self.settle_down();
        }
    }

    /// Delivers everything that is there.
    pub(crate) fn harvest_all(&self) {
        self.harvest_up_to(usize::MAX);
    }

    /// Delivers at most `max` operations, and says how many.
    pub(crate) fn harvest_up_to(&self, max: usize) -> usize {
        let (delivered, taken) = self.take(max);
        if taken != 0 {
            self.settle_down();
        }
        delivered
    }

    /// Delivers at most `max` operations without a flush. Says how many, and of how many completions.
    pub(crate) fn take(&self, max: usize) -> (usize, usize) {
        let mut cqes = [Cqe::default(); BATCH];
        let mut delivered = 0;
        let mut taken = 0;
        for ring in self.shards.iter() {
            ring.poll_device();
            while delivered < max {
                let room = BATCH.min(max - delivered);
                let count = ring.reap(&mut cqes[..room], true);
                delivered += cqes[..count].iter().filter(|cqe| self.settle(**cqe)).count();
                taken += count;
                if count < room {
                    break;
                }
            }
        }
        (delivered, taken)
    }

    /// After deliveries: hands over what they have submitted, and has the kernel signal nothing where nothing is in flight.
    fn settle_down(&self) {
        self.flush();
        let notifying = self.mailbox.is_none() && self.shards.iter().any(Ring::is_notifying);
        if notifying && self.completer.in_flight() == 0 {
            self.shards.iter().for_each(|ring| ring.mute_if(|| self.completer.in_flight() == 0));
        }
    }

    /// Settles one completion. Says whether an operation has ended with it.
    fn settle(&self, cqe: Cqe) -> bool {
        if cqe.user_data == UNTOLD {
            return false;
        }
        let key = Key::from_u64(cqe.user_data & !TRANSFER);

        let Ok(bytes) = usize::try_from(cqe.result) else {
            return self.settle_failed(key, -cqe.result);
        };
        self.end(key, Completion::Done(Ok(bytes)));
        true
    }

    /// Settles a completion that is an error: an answer to nothing that anybody asked sends the operation on its way again.
    fn settle_failed(&self, key: Key, errno: i32) -> bool {
        let wanted = || self.completer.is_cancel_asked(key) || self.closing.load(Ordering::SeqCst);
        match errno {
            libc::ECANCELED | libc::EINTR | libc::EAGAIN if wanted() => self.end(key, Completion::Cancelled),
            // The thread that submitted it has exited, and the kernel says so in one of two ways; a signal reached a thread of the
            // kernel's; there was no memory, or the file has O_NONBLOCK.
            libc::ECANCELED | libc::EFAULT | libc::EINTR | libc::EAGAIN => return self.restart(key, errno),
            libc::EOPNOTSUPP if self.is_polled() => return self.restart(key, errno),
            _ => self.end(key, Completion::Done(Err(io::Error::from_raw_os_error(errno)))),
        }
        true
    }

    /// Starts an operation once more: through the ring if the ring only lost it, else through the pool, which asks the file in
    /// ways that give a final answer.
    fn restart(&self, key: Key, errno: i32) -> bool {
        // SAFETY: the request was consumed when it was submitted, and its completion was reaped.
        let Some(request) = (unsafe { self.completer.again(key) }) else {
            return false;
        };
        if errno == libc::EOPNOTSUPP {
            request.fd().hints().mark(UNPOLLED);
        }
        let submitted = if errno == libc::ECANCELED { self.submit(request) } else { self.fall_back(request) };
        match submitted {
            Ok(()) => false,
            Err(finished) => {
                self.completer.deliver(finished);
                true
            }
        }
    }
}
