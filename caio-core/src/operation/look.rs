//! The wait for the end of an operation: its future looks again for a while, then parks.

use super::start::Begun;
use super::{End, Operation, Phase};
use crate::completer::Completion;
use crate::error;
use crate::key::Key;
use crate::payload::Payload;
use crate::sync::atomic::Ordering;
use crate::table::Look;
use crate::wait::{Class, copy_weight, count_turn, is_turn_over};
use std::task::{Context as TaskContext, Poll};

/// How many transfers past the page cache must be under way at a time for groups of them to pay off.
const SEVERAL: u32 = 4;

impl<P: Payload> Operation<P> {
    /// Looks for the end of the operation; starts it first.
    pub(crate) fn poll_end(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        let first = matches!(self.phase, Phase::Lazy);
        loop {
            match std::mem::replace(&mut self.phase, Phase::Taken) {
                Phase::Ended(end) => return Poll::Ready(end),
                Phase::Taken => return Poll::Ready(End { result: Err(error::polled_again()), cancelled: false }),
                Phase::Lazy => {
                    if let Some(poll) = self.poll_start(cx) {
                        return poll;
                    }
                }
                phase @ (Phase::Staged(key)
                | Phase::Queued(key)
                | Phase::Started(key)
                | Phase::Looking(key, _)
                | Phase::Parked(key)) => {
                    self.phase = phase;
                    if self.ctx.shared().is_inherited() {
                        self.phase = Phase::Taken;
                        return Poll::Ready(End { result: Err(error::inherited()), cancelled: false });
                    }
                    if self.read_front() {
                        count_turn(None);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    match self.phase {
                        Phase::Staged(_) => self.release(key),
                        Phase::Queued(_) => {
                            self.ctx.carrier().flush_group();
                            self.phase = Phase::Started(key);
                        }
                        _ => {}
                    }
                    let poll = self.look(key, cx);
                    if first {
                        count_turn(poll.is_ready().then_some(self.seat.class.weight()));
                    }
                    return poll;
                }
            }
        }
    }

    /// Starts the operation. `None` if its end is to be looked for at once.
    fn poll_start(&mut self, cx: &mut TaskContext<'_>) -> Option<Poll<End>> {
        let begun = if is_turn_over() { Begun::Halfway } else { self.begin(Some(cx.waker())) };
        match begun {
            Begun::Ended(end) => {
                count_turn(Some(copy_weight(*end.result.as_ref().unwrap_or(&0))));
                return Some(Poll::Ready(end));
            }
            Begun::Started if self.seat.class != Class::Direct || self.is_alone() => return None,
            Begun::Started | Begun::Split => {}
            Begun::Halfway => self.phase = Phase::Lazy,
        }
        count_turn(None);
        cx.waker().wake_by_ref();
        Some(Poll::Pending)
    }

    /// Looks for the end of an operation in flight.
    fn look(&mut self, key: Key, cx: &mut TaskContext<'_>) -> Poll<End> {
        if !matches!(self.phase, Phase::Parked(_)) && !self.is_gathered() {
            self.ctx.carrier().harvest();
        }
        match self.ctx.shared().table.look(key, cx.waker()) {
            Look::Done { completion, expired, fd, transfers } => {
                if self.seat.class == Class::Direct {
                    self.meet_others();
                }
                let is_whole = self.join();
                let patience = self.ctx.shared().patience(self.seat);
                patience.count();
                if let Phase::Looking(_, gaze) = std::mem::replace(&mut self.phase, Phase::Taken) {
                    patience.end(gaze, false);
                }
                if !is_whole && matches!(completion, Completion::Done(_)) {
                    self.resume(key, fd);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let End { result, cancelled } = self.settle(key, completion, expired);
                Poll::Ready(End { result: result.map_err(|error| error::explain(error, transfers, &fd)), cancelled })
            }
            Look::Pending => {
                self.wait(key, cx);
                Poll::Pending
            }
        }
    }

    /// Whether a transfer past the page cache has just started that is probably the only one. Then its end is looked for at once;
    /// else the executor's other tasks start theirs first. That is also how it is found out, so now and then they are let.
    fn is_alone(&self) -> bool {
        self.before % 16 != 0 && !self.is_gathered() && !self.ctx.shared().crowded.load(Ordering::Relaxed)
    }

    /// A transfer past the page cache has ended. As many were under way with it as have started since it did.
    fn meet_others(&self) {
        let shared = self.ctx.shared();
        let meanwhile = shared.transfers.load(Ordering::Relaxed).wrapping_sub(self.before);
        if shared.crowded.load(Ordering::Relaxed) != (meanwhile > 1) {
            shared.crowded.store(meanwhile > 1, Ordering::Relaxed);
        }
        if self.is_gathered() {
            self.ctx.carrier().harvest(); // the rest of its group
        } else if meanwhile > SEVERAL {
            self.ctx.carrier().gather();
        }
    }

    /// Whether its end comes with that of others.
    pub(super) fn is_gathered(&self) -> bool {
        self.seat.class == Class::Direct && self.ctx.carrier().is_gathering()
    }

    /// Looks again in a moment, or parks.
    fn wait(&mut self, key: Key, cx: &mut TaskContext<'_>) {
        let patience = self.ctx.shared().patience(self.seat);
        let gaze = match self.phase {
            _ if self.is_gathered() => None,
            Phase::Looking(_, gaze) => patience.go_on(gaze),
            Phase::Started(_) => match self.seat.class {
                Class::Stream => None,
                // Whoever looks takes completions from a ring for all, and the reaper is not needed while all look.
                Class::Direct => patience.begin(true),
                Class::Read | Class::Write | Class::Sync => patience.begin(false),
            },
            _ => None,
        };
        if let Some(gaze) = gaze {
            self.phase = Phase::Looking(key, gaze);
            cx.waker().wake_by_ref();
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Parked(key)) {
            Phase::Parked(_) => return,
            Phase::Looking(_, gaze) => patience.end(gaze, true),
            _ => {}
        }
        self.ctx.carrier().arm();
    }

    /// Makes the caller's result of a completion.
    fn settle(&mut self, key: Key, completion: Completion, expired: bool) -> End {
        if let Some(deadline) = self.deadline.take() {
            self.ctx.shared().unschedule(deadline, key);
        }
        match completion {
            Completion::Done(Ok(bytes)) => End { result: Ok(self.done + bytes), cancelled: false },
            // A read that got some way has read that much.
            Completion::Done(Err(_)) | Completion::Cancelled if self.done != 0 => {
                End { result: Ok(self.done), cancelled: false }
            }
            Completion::Done(result) => End { result, cancelled: false },
            Completion::Cancelled if expired => End { result: Err(error::timed_out()), cancelled: true },
            Completion::Cancelled => End { result: Err(error::cancelled()), cancelled: true },
        }
    }

    /// Whether its time is up and its result need not wait for the kernel.
    pub(super) fn poll_expired(&self) -> Option<P::Output> {
        let (Phase::Queued(key) | Phase::Started(key) | Phase::Looking(key, _) | Phase::Parked(key)) = self.phase
        else {
            return None;
        };
        self.deadline?;
        if self.ctx.shared().table.is_expired(key) { P::timed_out() } else { None }
    }
}
