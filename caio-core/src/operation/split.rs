//! A long read in two parts: the backend reads its end while its future reads its beginning from
//! the page cache, piece by piece.

use super::start::rest;
use super::{InFlight, Operation, State, Wait};
use crate::SharedFd;
use crate::op::{MAX_INLINE_BYTES, Op, OpClass};
use crate::payload::{Part, Payload};
use crate::policy::WaitPolicies;
use crate::request::Attempt;
use crate::table::Described;
use std::time::Instant;

/// What must at least be left of a read for it to be split: handing a part over takes about as long
/// as copying a few pieces.
const MIN_BYTES: usize = 8 * MAX_INLINE_BYTES;

/// A read in two parts.
#[derive(Debug)]
pub(super) struct Split {
    /// The whole of it.
    op: Op,
    /// Its file.
    fd: SharedFd,
    /// Where the backend's part begins, in bytes from the start.
    end: usize,
    /// How far the beginning was read.
    front: Front,
}

/// How far the beginning of a read in two parts was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    /// It is being read.
    Reading,
    /// All of it was read.
    Read,
    /// It cannot be read at once as far as the other part: the read goes on from there when that
    /// part has ended.
    Missed,
}

impl<P: Payload> Operation<P> {
    /// Gives the end of a read to the backend, if that may pay off. Says whether it has.
    pub(super) fn split(&mut self, described: &Described) -> bool {
        let left = described.op.bytes() - self.done;
        let shared = self.ctx.shared();
        let policy = shared.policies.of(described.class, WaitPolicies::thread()).filter(|_| shared.may_spin);
        if left < MIN_BYTES || !policy.is_some_and(|policy| policy.may_split()) || shared.table.running() != 0 {
            return false;
        }
        // The future has a start: whoever reads the other part has to wake up first.
        let end = self.done + (left / 8 * 5).next_multiple_of(MAX_INLINE_BYTES);
        if self.submit_part(rest(described, end), None).is_err() {
            return false; // the context is closed, and the next piece will say so
        }
        self.flush_unless_grouped(false);
        if let State::InFlight(flight) = &mut self.state {
            let Described { op, fd, .. } = described;
            flight.split =
                Some(Box::new(Split { op: op.part(0, usize::MAX), fd: fd.share(), end, front: Front::Reading }));
        }
        true
    }

    /// Reads the next piece of the beginning. Says whether there is more of it.
    pub(super) fn read_front(&mut self) -> bool {
        let State::InFlight(InFlight { split: Some(split), .. }) = &mut self.state else {
            return false;
        };
        if split.front != Front::Reading {
            return false;
        }
        let piece = split.op.part(self.done, MAX_INLINE_BYTES.min(split.end - self.done));
        let attempt = Attempt::new(&piece, &split.fd, OpClass::CachedRead);
        let attempted = self.ctx.backend_ref().attempt(attempt).0;
        let bytes = attempted.map_or(0, |result| result.unwrap_or(0)).min(piece.bytes());
        self.done += bytes;
        split.front = match () {
            () if bytes != piece.bytes() => Front::Missed,
            () if self.done == split.end => Front::Read,
            () => Front::Reading,
        };
        split.front == Front::Reading
    }

    /// The backend's part has ended. Says whether all before it was read; else the read is to be
    /// resumed.
    pub(super) fn join(&self, flight: &InFlight) -> bool {
        let Some(split) = &flight.split else {
            return true;
        };
        if split.front != Front::Read {
            return false;
        }
        let shared = self.ctx.shared();
        if let Some(policy) = shared.policies.of(flight.class, flight.thread) {
            policy.learn_split(!matches!(flight.wait, Wait::Parked));
        }
        shared.stats.transferred(true, self.done);
        true
    }

    /// Has the next poll go on where the beginning could not be read, in what is left of the
    /// operation's time.
    pub(super) fn resume(&mut self, fd: SharedFd, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.timeout = Some(deadline.saturating_duration_since(Instant::now()));
        }
        self.fd = Some(fd);
        self.state = State::New;
    }

    /// Which part of the operation the backend has.
    pub(super) fn part(&self, flight: &InFlight) -> Part {
        match &flight.split {
            Some(split) if split.front != Front::Read => Part::End,
            Some(_) | None => Part::From(self.done),
        }
    }
}
