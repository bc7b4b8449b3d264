//! The start of an operation: it is checked, tried inline, and entered in the table.

use super::{End, Operation, Phase};
use crate::SharedFd;
use crate::error;
use crate::key::Key;
use crate::op::{IoPriority, Op};
use crate::payload::Payload;
use crate::request::Attempt;
use crate::sync::atomic::Ordering;
use crate::wait::{Class, Seat};
use std::io;
use std::task::Waker;
use std::time::Instant;

/// How much of a read is tried inline at a time, in bytes; between two pieces other tasks have their turn.
pub(super) const PIECE: usize = 64 * 1024;

/// What came of a start.
#[derive(Debug)]
pub(super) enum Begun {
    /// It has ended.
    Ended(End),
    /// A piece of it was read; the next poll goes on.
    Halfway,
    /// Its end is in the table, and a piece of its beginning was read; the next poll goes on.
    Split,
    /// It is in the table.
    Started,
}

impl<P: Payload> Operation<P> {
    /// Enters the operation in the table as part of a batch.
    pub(crate) fn stage(&mut self) -> Option<Key> {
        match self.enter() {
            Ok(key) => {
                self.phase = Phase::Staged(key);
                Some(key)
            }
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// Ends it with an error before it has started.
    pub(crate) fn fail(&mut self, error: io::Error) {
        self.phase = Phase::Ended(End { result: Err(error), cancelled: false });
    }

    /// Describes the operation, and checks what can be checked beforehand.
    fn describe(&mut self) -> io::Result<(Op, SharedFd)> {
        self.ctx.shared().check_usable()?;
        self.priority.map_or(Ok(()), check_priority)?;
        let (Some(payload), Some(fd)) = (self.payload.get_mut(), self.fd.take()) else {
            return Err(error::polled_again());
        };
        let op = payload.op(self.offset)?;
        error::check_offset(&op, &fd)?;
        Ok((op, fd))
    }

    /// Enters the operation in the table, without trying to finish it at once.
    fn enter(&mut self) -> io::Result<Key> {
        let (op, fd) = self.describe()?;
        self.seat = Seat::of(&op, &fd);
        self.ctx.shared().stage(op, fd, self.priority)
    }

    /// Starts the operation. Without a waker nobody will poll soon: then it is not done piece by piece.
    pub(super) fn begin(&mut self, waker: Option<&Waker>) -> Begun {
        match self.describe().and_then(|(op, fd)| self.try_inline(op, fd, waker)) {
            Ok(begun) => begun,
            Err(_) if self.done != 0 => Begun::Ended(End { result: Ok(self.done), cancelled: false }),
            Err(error) => Begun::Ended(End { result: Err(error), cancelled: false }),
        }
    }

    /// Tries to finish the operation, or a piece of it, in this thread; else starts what is left of it.
    fn try_inline(&mut self, op: Op, fd: SharedFd, waker: Option<&Waker>) -> io::Result<Begun> {
        let piece = op.part(self.done, if waker.is_some() { PIECE } else { usize::MAX });
        let attempted = self.ctx.carrier().attempt(Attempt::new(&piece, &fd)).0;
        let shared = self.ctx.shared();
        let Some(result) = attempted else {
            self.seat = Seat::of(&op, &fd);
            shared.stats.transferred(op.is_read(), self.done);
            let watched = waker.is_some_and(|_| self.may_watch()).then(|| shared.table.ended());
            let waker_to_keep = waker.filter(|_| watched.is_none());
            let op = op.part(self.done, usize::MAX);
            let key = shared.start(self.ctx.carrier(), op, fd, self.priority, waker_to_keep)?;
            if self.seat.class == Class::Direct {
                self.before = shared.transfers.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            }
            if waker.is_some() && self.is_gathered() {
                self.schedule(key);
                self.phase = Phase::Queued(key);
            } else {
                self.follow(key);
            }
            if let Some(ended) = watched {
                let shared = self.ctx.shared();
                shared.patience(self.seat).watch(|| shared.table.ended(), ended);
            }
            return Ok(Begun::Started);
        };
        let bytes = *result.as_ref().unwrap_or(&0);
        self.done += bytes;
        if bytes != 0 && bytes == piece.bytes() && self.done < op.bytes() && piece.bytes() < op.bytes() {
            if self.split(&op, &fd) {
                return Ok(Begun::Split);
            }
            self.fd = Some(fd);
            return Ok(Begun::Halfway);
        }
        shared.stats.inline(op.is_read(), self.done);
        result.map_err(|error| error::explain(error, !op.is_sync(), &fd))?;
        Ok(Begun::Ended(End { result: Ok(self.done), cancelled: false }))
    }

    /// Whether the first poll may watch for the end of the operation: of a transfer through the page cache that is alone.
    fn may_watch(&self) -> bool {
        let shared = self.ctx.shared();
        matches!(self.seat.class, Class::Read | Class::Write)
            && shared.patience(self.seat).may_watch()
            && shared.table.running() == 0
    }

    /// Starts what was staged.
    pub(super) fn release(&mut self, key: Key) {
        self.ctx.shared().release(self.ctx.carrier(), key);
        self.follow(key);
    }

    /// The operation runs or waits its turn: its time begins.
    pub(super) fn follow(&mut self, key: Key) {
        self.schedule(key);
        self.flush(key);
    }

    /// What the backend was given is on its way.
    pub(super) fn flush(&mut self, key: Key) {
        self.ctx.carrier().flush();
        self.phase = Phase::Started(key);
    }

    /// Lets the operation expire when its time is up, which begins now.
    pub(super) fn schedule(&mut self, key: Key) {
        let shared = self.ctx.shared();
        let Some(deadline) = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout)) else {
            return;
        };
        if shared.is_inherited() {
            return;
        }
        if let Some(before) = self.deadline.replace(deadline) {
            shared.unschedule(before, key);
        }
        shared.schedule(deadline, key);
    }

    /// What waits for room must be started by whoever makes room, although nobody may poll meanwhile.
    pub(super) fn arm_if_waiting(&self) {
        if self.ctx.shared().table.waiting() != 0 {
            self.ctx.carrier().arm();
        }
    }
}

/// Refuses a level that no class has.
pub(super) fn check_priority(priority: IoPriority) -> io::Result<()> {
    if priority.level() > 7 { Err(error::bad_priority(priority.level())) } else { Ok(()) }
}
