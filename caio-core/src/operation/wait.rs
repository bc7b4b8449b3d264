//! The wait for the end of an operation: its future spins, yields or parks, and takes the result.

use super::start::Started;
use super::{End, InFlight, Operation, State, Wait};
use crate::backend::Flush;
use crate::completer::Completion;
use crate::error;
use crate::op::OpClass;
use crate::payload::Payload;
use crate::policy::{Next, coop};
use crate::table::Ended;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

impl<P: Payload> Operation<P> {
    /// Starts the operation, or looks for its end.
    pub(crate) fn poll_end(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        match &self.state {
            State::New if coop::is_spent() => yield_now(cx),
            State::New => match self.start(Some(cx.waker())) {
                Started::Ended(end) => {
                    self.state = State::Taken;
                    Poll::Ready(end)
                }
                Started::Partly => yield_now(cx),
                Started::InFlight => self.poll_started(cx),
            },
            State::InFlight(_) => self.poll_in_flight(cx),
            State::Ended(_) | State::Taken => Poll::Ready(self.take_ended()),
        }
    }

    /// The end of an operation that had ended before it was polled.
    fn take_ended(&mut self) -> End {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Ended(end) => end,
            State::New | State::InFlight(_) | State::Taken => {
                End { result: Err(error::polled_again()), cancelled: false }
            }
        }
    }

    /// Looks for the end of an operation that has just started. Where it is one of several, the
    /// executor's other tasks start theirs first.
    fn poll_started(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        let State::InFlight(InFlight { class, number, grouped, split, .. }) = &self.state else {
            return self.poll_end(cx);
        };
        let class = *class;
        let is_alone = class != OpClass::Direct || !grouped && self.ctx.shared().table.depth.is_alone(*number);
        if split.is_some() || !is_alone {
            return yield_now(cx);
        }
        let poll = self.poll_in_flight(cx);
        if poll.is_ready() {
            coop::charge(coop::class_cost(class));
        } else {
            coop::reset();
        }
        poll
    }

    /// Looks for the end of an operation in flight.
    fn poll_in_flight(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        if self.ctx.shared().is_inherited() {
            self.state = State::Taken;
            return Poll::Ready(End { result: Err(error::inherited()), cancelled: false });
        }
        if self.read_front() {
            return yield_now(cx);
        }
        let State::InFlight(flight) = &mut self.state else {
            return Poll::Pending;
        };
        let (key, parked) = (flight.key, matches!(flight.wait, Wait::Parked));
        match flight.wait {
            Wait::Staged => self.admit(key),
            Wait::Unflushed => {
                flight.wait = Wait::Submitted;
                self.ctx.backend_ref().flush(Flush::WithGroup);
            }
            Wait::Submitted | Wait::Yielding(_) | Wait::Parked => {}
        }
        if !parked && !self.is_grouped() {
            self.ctx.backend_ref().reap();
        }
        match self.ctx.shared().table.poll(key, cx.waker()) {
            Some(ended) => self.take_end(ended, cx),
            None => {
                self.wait(cx);
                Poll::Pending
            }
        }
    }

    /// Whether its completion comes with those of others.
    fn is_grouped(&self) -> bool {
        matches!(&self.state, State::InFlight(flight) if flight.grouped)
    }

    /// Yields, or parks.
    fn wait(&mut self, cx: &TaskContext<'_>) {
        let State::InFlight(flight) = &mut self.state else {
            return;
        };
        let shared = self.ctx.shared();
        let policy = shared.policies.of(flight.class, flight.thread).filter(|_| shared.may_spin);
        let next = match (flight.wait, policy) {
            (Wait::Parked, _) => return,
            (Wait::Yielding(lease), Some(policy)) => policy.renew(lease, Instant::now()),
            (Wait::Submitted, Some(policy)) if !flight.grouped => policy.begin(flight.class, Instant::now),
            _ => Next::Park,
        };
        match next {
            Next::Yield(lease) => {
                flight.wait = Wait::Yielding(lease);
                cx.waker().wake_by_ref();
            }
            Next::Park => {
                if let (Wait::Yielding(lease), Some(policy)) = (flight.wait, policy) {
                    policy.end(lease, false);
                }
                flight.wait = Wait::Parked;
                self.ctx.backend_ref().arm();
            }
        }
    }

    /// Whether the first poll may spin for the end of an operation: of a transfer through the page
    /// cache that is alone.
    pub(super) fn may_spin(&self, class: OpClass) -> bool {
        let shared = self.ctx.shared();
        let policy = shared.policies.of(class, crate::policy::WaitPolicies::thread());
        class.may_be_inline()
            && shared.may_spin
            && policy.is_some_and(|policy| policy.may_spin())
            && shared.table.running() == 0
    }

    /// Spins until some operation has ended, or for as long as a first poll may.
    pub(super) fn spin(&self, class: OpClass, ended_before: u32) {
        let shared = self.ctx.shared();
        if let Some(policy) = shared.policies.of(class, crate::policy::WaitPolicies::thread()) {
            policy.spin(|| shared.table.ended() != ended_before, Instant::now);
        }
    }

    /// The operation has ended, or the part of it that the backend had.
    fn take_end(&mut self, ended: Ended, cx: &TaskContext<'_>) -> Poll<End> {
        let State::InFlight(flight) = std::mem::replace(&mut self.state, State::Taken) else {
            return Poll::Pending;
        };
        let shared = self.ctx.shared();
        if flight.number != 0 {
            shared.table.depth.end(flight.number);
        }
        if flight.grouped {
            self.ctx.backend_ref().reap(); // the rest of its group
        }
        if let Some(policy) = shared.policies.of(flight.class, flight.thread) {
            policy.count();
            if let Wait::Yielding(lease) = flight.wait {
                policy.end(lease, true);
            }
        }
        let deadline = if ended.timed { shared.unschedule(flight.key) } else { None };
        if !self.join(&flight) && matches!(ended.completion, Completion::Done(_)) {
            self.resume(ended.fd, deadline);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Ended { completion, expired, fd, transfers, .. } = ended;
        let End { result, cancelled } = self.end(completion, expired);
        Poll::Ready(End { result: result.map_err(|error| error::explain(error, transfers, &fd)), cancelled })
    }

    /// Makes the result of the whole.
    fn end(&self, completion: Completion, expired: bool) -> End {
        match completion {
            Completion::Done(Ok(bytes)) => End { result: Ok(self.done + bytes), cancelled: false },
            // A read that got some way has read that much.
            Completion::Done(Err(_)) | Completion::Cancelled if self.done != 0 => {
                End { result: Ok(self.done), cancelled: false }
            }
            Completion::Done(result) => End { result, cancelled: false },
            Completion::Cancelled if expired => End { result: Err(self.timed_out()), cancelled: true },
            Completion::Cancelled => End { result: Err(self.ctx.shared().cancelled()), cancelled: true },
        }
    }

    /// The error of an operation whose time is up.
    fn timed_out(&self) -> std::io::Error {
        error::timed_out(self.timeout.unwrap_or_default())
    }

    /// The result, if the operation's time is up and the result need not wait for the kernel.
    pub(super) fn poll_expired(&self) -> Option<P::Output> {
        let State::InFlight(flight) = &self.state else {
            return None;
        };
        self.timeout?;
        if self.ctx.shared().table.is_expired(flight.key) { P::without_buffer(self.timed_out()) } else { None }
    }
}

/// Lets the executor's other tasks run.
fn yield_now<T>(cx: &TaskContext<'_>) -> Poll<T> {
    coop::reset();
    cx.waker().wake_by_ref();
    Poll::Pending
}
