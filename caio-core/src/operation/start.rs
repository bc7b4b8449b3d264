//! The start of an operation: it is checked, tried inline, entered in the table, and submitted.

use super::{End, InFlight, Operation, State, Wait};
use crate::Submitted;
use crate::backend::Flush;
use crate::error;
use crate::key::Key;
use crate::op::{IoPriority, MAX_INLINE_BYTES, Op, OpClass};
use crate::payload::Payload;
use crate::policy::{WaitPolicies, coop};
use crate::request::Attempt;
use crate::table::Described;
use std::io;
use std::task::Waker;

/// What came of a start.
#[derive(Debug)]
pub(super) enum Started {
    /// It has ended.
    Ended(End),
    /// A piece of it was read; the next poll goes on.
    Partly,
    /// It is in flight.
    InFlight,
}

impl<P: Payload> Operation<P> {
    /// Enters the operation in the table as part of a batch.
    pub(crate) fn stage(&mut self) -> Option<Key> {
        let entered = self.describe().and_then(|mut described| {
            described.be_sure()?;
            let class = described.class;
            Ok((class, self.ctx.shared().table.stage(described, None)?))
        });
        match entered {
            Ok((class, key)) => {
                self.state = State::InFlight(InFlight::new(key, class, Wait::Staged));
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
        self.state = State::Ended(End { result: Err(error), cancelled: false });
    }

    /// Describes the operation, and checks what can be checked beforehand.
    fn describe(&mut self) -> io::Result<Described> {
        self.ctx.shared().check_usable()?;
        self.priority.map_or(Ok(()), check_priority)?;
        let (Some(payload), Some(fd)) = (self.payload.get_mut(), self.fd.take()) else {
            return Err(error::polled_again());
        };
        let op = payload.op(self.offset)?;
        let class = OpClass::guess(&op, &fd);
        error::check_offset(&op, &fd, class)?;
        Ok(Described { op, fd, class, priority: self.priority, timeout: self.timeout })
    }

    /// Starts the operation: finishes it in this thread, or a piece of it, or gives what is left to
    /// the backend. Without a waker nobody will poll soon: then it is not done piece by piece.
    pub(super) fn start(&mut self, waker: Option<&Waker>) -> Started {
        let described = match self.describe() {
            Ok(described) => described,
            Err(error) => return self.not_started(error),
        };
        let Described { op, fd, class, .. } = &described;
        if !class.may_be_inline() {
            return self.enter(described, waker);
        }
        let piece = op.part(self.done, if waker.is_some() { MAX_INLINE_BYTES } else { usize::MAX });
        let attempted = self.ctx.backend_ref().attempt(Attempt::new(&piece, fd, *class)).0;
        let bytes = match attempted {
            None => return self.enter(described, waker),
            Some(Err(error)) => {
                self.ctx.shared().stats.inline(op.is_read(), self.done);
                return self.not_started(error);
            }
            Some(Ok(bytes)) => bytes.min(piece.bytes()),
        };
        self.done += bytes;
        if bytes != 0 && bytes == piece.bytes() && self.done < op.bytes() && piece.bytes() < op.bytes() {
            if self.split(&described) {
                return Started::InFlight;
            }
            self.fd = Some(described.fd);
            return Started::Partly;
        }
        self.ctx.shared().stats.inline(op.is_read(), self.done);
        coop::charge(coop::copy_cost(self.done));
        Started::Ended(End { result: Ok(self.done), cancelled: false })
    }

    /// The operation could not be started, or not go on: what was read before is its result.
    fn not_started(&self, error: io::Error) -> Started {
        let result = if self.done == 0 { Err(error) } else { Ok(self.done) };
        Started::Ended(End { result, cancelled: false })
    }

    /// Enters the operation, or what is left of it, in the table, and starts it.
    fn enter(&mut self, mut described: Described, waker: Option<&Waker>) -> Started {
        if let Err(error) = described.be_sure() {
            return self.not_started(error);
        }
        let shared = self.ctx.shared();
        let class = described.class;
        if self.done != 0 {
            shared.stats.transferred(described.op.is_read(), self.done);
            described.op = described.op.part(self.done, usize::MAX);
        }
        let spins = waker.is_some() && self.may_spin(class);
        let ended = shared.table.ended();
        if let Err(error) = self.submit_part(described, waker.filter(|_| !spins)) {
            return self.not_started(error);
        }
        self.flush_unless_grouped(waker.is_some());
        if spins {
            self.spin(class, ended);
        }
        Started::InFlight
    }

    /// Submits what is left of the operation. The future's state says so before the backend is
    /// called, which may panic.
    pub(super) fn submit_part(&mut self, described: Described, waker: Option<&Waker>) -> io::Result<()> {
        let Self { ctx, state, .. } = self;
        let shared = ctx.shared();
        let class = described.class;
        let number = if class == OpClass::Direct { shared.table.depth.start() } else { 0 };
        let entered = |key| {
            let flight = InFlight { number, ..InFlight::new(key, class, Wait::Unflushed) };
            *state = State::InFlight(flight);
        };
        let submitted = shared.start(ctx.backend_ref(), described, waker, entered)?;
        if let State::InFlight(flight) = &mut self.state {
            flight.grouped = submitted == Submitted::Grouped;
        }
        Ok(())
    }

    /// What was submitted reaches the kernel or the workers: now, or with its group at the next
    /// poll.
    pub(super) fn flush_unless_grouped(&mut self, polled: bool) {
        if let State::InFlight(flight) = &mut self.state {
            if flight.grouped && polled {
                return;
            }
            flight.wait = Wait::Submitted;
        }
        self.ctx.backend_ref().flush(Flush::Now);
    }

    /// Starts what was staged.
    pub(super) fn admit(&mut self, key: Key) {
        if let State::InFlight(flight) = &mut self.state {
            flight.wait = Wait::Unflushed;
        }
        self.ctx.shared().admit(self.ctx.backend_ref(), key);
        self.flush_unless_grouped(false);
    }

    /// What waits for room must be started by whoever makes room, although nobody may poll
    /// meanwhile.
    pub(super) fn arm_if_waiting(&self) {
        if self.ctx.shared().table.waiting() != 0 {
            self.ctx.backend_ref().arm();
        }
    }
}

impl InFlight {
    /// An operation of the calling thread's.
    pub(super) fn new(key: Key, class: OpClass, wait: Wait) -> Self {
        Self { key, class, thread: WaitPolicies::thread(), wait, number: 0, grouped: false, split: None }
    }
}

impl Described {
    /// Asks for the kind of a file of which nothing was known.
    fn be_sure(&mut self) -> io::Result<()> {
        if self.fd.is_unknown() {
            self.class = OpClass::of(&self.op, &self.fd);
            error::check_offset(&self.op, &self.fd, self.class)?;
        }
        Ok(())
    }
}

/// Refuses a level that no class has.
pub(super) fn check_priority(priority: IoPriority) -> io::Result<()> {
    if priority.level() > 7 { Err(error::bad_priority(priority.level())) } else { Ok(()) }
}

/// The part of a read that a split leaves to the backend.
pub(super) fn rest(described: &Described, from: usize) -> Described {
    let Described { op, fd, class, priority, timeout } = described;
    let op: Op = op.part(from, usize::MAX);
    Described { op, fd: fd.share(), class: *class, priority: *priority, timeout: *timeout }
}
