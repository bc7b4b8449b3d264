//! A long read in two parts: the backend reads its end while its future reads its beginning from the page cache, piece by piece.

use super::start::PIECE;
use super::{Operation, Phase};
use crate::SharedFd;
use crate::key::Key;
use crate::op::Op;
use crate::payload::Payload;
use crate::request::Attempt;
use crate::wait::Seat;
use std::time::Instant;

/// What must at least be left of a read for it to be split: handing a part over takes about as long as copying a few pieces.
const SHORTEST: usize = 8 * PIECE;

/// How far a read has come that may have been split.
#[derive(Debug)]
pub(super) enum Split {
    /// It is in one part.
    Not,
    /// Its beginning is being read.
    Front {
        /// The whole of it.
        op: Op,
        /// Its file.
        fd: SharedFd,
        /// Where the other part begins, in bytes from its start.
        end: usize,
    },
    /// Its beginning was read.
    Joined,
    /// Its beginning cannot be read at once, as far as the other part: it goes on from there when that part has ended.
    Spoilt,
}

impl<P: Payload> Operation<P> {
    /// Gives the end of a read to the backend, if that may pay off. Says whether it has.
    pub(super) fn split(&mut self, op: &Op, fd: &SharedFd) -> bool {
        let left = op.bytes() - self.done;
        if left < SHORTEST {
            return false;
        }
        self.seat = Seat::of(op, fd);
        let shared = self.ctx.shared();
        if !shared.patience(self.seat).may_split() || shared.table.running() != 0 {
            return false;
        }
        // The future has a start: whoever reads the other part has to wake up first.
        let end = self.done + (left / 8 * 5).next_multiple_of(PIECE);
        let rest = op.part(end, usize::MAX);
        let Ok(key) = shared.start(self.ctx.carrier(), rest, fd.share(), self.priority, None) else {
            return false; // the context is closed, and the next piece will say so
        };
        self.split = Split::Front { op: op.duplicate(), fd: fd.share(), end };
        self.follow(key);
        true
    }

    /// Reads the next piece of the beginning. Says whether there is more of it.
    pub(super) fn read_front(&mut self) -> bool {
        let Split::Front { op, fd, end } = &self.split else {
            return false;
        };
        let piece = op.part(self.done, PIECE.min(end - self.done));
        let attempted = self.ctx.carrier().attempt(Attempt::new(&piece, fd)).0;
        let bytes = attempted.map_or(0, |result| result.unwrap_or(0));
        self.done += bytes;
        if bytes != piece.bytes() {
            self.split = Split::Spoilt;
        } else if self.done == *end {
            self.split = Split::Joined;
        } else {
            return true;
        }
        false
    }

    /// The other part has ended. Says whether the beginning was read as far as there; else the operation is to be resumed.
    pub(super) fn join(&mut self) -> bool {
        let in_time = !matches!(self.phase, Phase::Parked(_));
        match std::mem::replace(&mut self.split, Split::Not) {
            Split::Not => return true,
            Split::Joined => {}
            Split::Front { .. } | Split::Spoilt => return false,
        }
        let shared = self.ctx.shared();
        shared.patience(self.seat).learn_split(in_time);
        shared.stats.transferred(true, self.done);
        true
    }

    /// Has the next poll go on where the beginning could not be read, in what is left of the operation's time.
    pub(super) fn resume(&mut self, key: Key, fd: SharedFd) {
        if let Some(deadline) = self.deadline.take() {
            self.ctx.shared().unschedule(deadline, key);
            self.timeout = Some(deadline.saturating_duration_since(Instant::now()));
        }
        self.fd = Some(fd);
        self.phase = Phase::Lazy;
    }
}
