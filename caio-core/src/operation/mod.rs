//! The future of an operation: starts it, looks for its end, and leaves its memory behind if it is
//! dropped.

mod split;
mod start;
mod wait;

use crate::SharedFd;
use crate::backend::Flush;
use crate::buf::Held;
use crate::cancel::Cancel;
use crate::completer::Completion;
use crate::context::Context;
use crate::error;
use crate::key::Key;
use crate::op::{IoPriority, OpClass};
use crate::payload::{Abandoned, Orphan, Part, Payload};
use crate::policy::Lease;
use crate::table;
use split::Split;
use start::{Started, check_priority};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

/// A read, write or sync, made by a method of [`Context`]; awaiting it gives its result.
///
/// It is lazy: nothing happens until it is polled or [`submit`](Self::submit)ted. Dropping it
/// abandons the operation: a read is cancelled if it can be, a write or a sync may still be carried
/// out; the memory stays alive until the kernel is done with it. Dropping never blocks, and leaking
/// it leaks memory at worst.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # fn with(ctx: &caio_core::Context) -> std::io::Result<()> {
/// use std::time::Duration;
/// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
/// let read = ctx.read(4096, &fd, 0).timeout(Duration::from_millis(50)).submit();
/// let data = futures::executor::block_on(read)?;
/// # Ok(()) }
/// # Ok(()) }
/// ```
#[must_use = "an operation does nothing until it is awaited or submitted"]
pub struct Operation<P: Payload> {
    /// Who carries it out.
    ctx: Context,
    /// What it owns.
    payload: Held<P>,
    /// Its file, until it is in the table.
    fd: Option<SharedFd>,
    /// Where in the file, in bytes.
    offset: u64,
    /// How urgent it is.
    priority: Option<IoPriority>,
    /// How long it may take, from when it starts.
    timeout: Option<Duration>,
    /// How many bytes were read from its beginning, piece by piece, without the backend.
    done: usize,
    /// How far it has come.
    state: State,
    /// Makes what a dropped future leaves behind. It is taken where the payload's type is known to
    /// be `'static`.
    orphan: fn(Held<P>, Part) -> Box<dyn Orphan>,
}

/// How far an operation's future has come.
#[derive(Debug)]
enum State {
    /// It has not started.
    New,
    /// The table has its operation.
    InFlight(InFlight),
    /// It has ended before it was polled.
    Ended(End),
    /// The result was given.
    Taken,
}

/// An operation that is in the table.
#[derive(Debug)]
struct InFlight {
    /// Its name there.
    key: Key,
    /// What kind of operation it is.
    class: OpClass,
    /// The number of the thread that started it, for the policies.
    thread: u8,
    /// How its future waits.
    wait: Wait,
    /// Its number among the `O_DIRECT` transfers whose depth is estimated; 0 if it is none of them.
    number: u32,
    /// Whether its completion comes with those of others.
    grouped: bool,
    /// What a read in two parts needs besides.
    split: Option<Box<Split>>,
}

/// How a future waits for the end of its operation.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// It is in a batch that may not have been submitted.
    Staged,
    /// The backend has it, and was not told to hand it on, so that others can go with it.
    Unflushed,
    /// It was handed on, and the future has not looked for its end yet.
    Submitted,
    /// The future wakes itself instead of parking.
    Yielding(Lease),
    /// Whoever completes it wakes the future.
    Parked,
}

/// How an operation ended.
#[derive(Debug)]
pub(crate) struct End {
    /// The bytes transferred, or the error.
    pub(crate) result: io::Result<usize>,
    /// Whether that is because it was cancelled.
    pub(crate) cancelled: bool,
}

impl<P: Payload> Unpin for Operation<P> {}

impl<P: Payload> Operation<P> {
    /// An operation that has not started. This is the only way to make one, and so nothing borrowed
    /// is ever in flight; the type itself does not say `'static`, because then the compiler could
    /// not prove that futures which hold it are `Send`.
    pub(crate) fn new(ctx: &Context, payload: P, fd: &SharedFd, offset: u64) -> Self
    where
        P: 'static,
    {
        Self {
            ctx: ctx.share(),
            payload: Held::new(payload),
            fd: Some(fd.share()),
            offset,
            priority: None,
            timeout: None,
            done: 0,
            state: State::New,
            orphan: |payload, part| Box::new(Abandoned { payload, part }),
        }
    }

    /// Starts the operation now; it is awaited later. Where there is no room it starts, in its
    /// turn, once there is.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let next = ctx.read(4096, fd, 4096).submit(); // in flight from here on
    /// let data = ctx.read(4096, fd, 0).await?;
    /// let more = next.await?;
    /// # Ok(()) }
    /// ```
    pub fn submit(mut self) -> Self {
        match &self.state {
            State::New => match self.start(None) {
                Started::Ended(end) => self.state = State::Ended(end),
                Started::InFlight | Started::Partly => self.arm_if_waiting(),
            },
            State::InFlight(flight) if !self.ctx.shared().is_inherited() => {
                let key = flight.key;
                match flight.wait {
                    Wait::Staged => {
                        self.admit(key);
                        self.arm_if_waiting();
                    }
                    Wait::Unflushed => self.flush_unless_grouped(false),
                    Wait::Submitted | Wait::Yielding(_) | Wait::Parked => {}
                }
            }
            State::InFlight(_) | State::Ended(_) | State::Taken => {}
        }
        self
    }

    /// Asks for the operation to end early, and tells which it did: see
    /// [`Outcome`](crate::Outcome).
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// use caio_core::Outcome;
    /// let read = ctx.read_into(vec![0; 4096], fd, 0).submit();
    /// match read.cancel().await {
    ///     Outcome::Cancelled(_buf) => println!("nothing was read"),
    ///     Outcome::Completed(result, _buf) => println!("it had read {} bytes before", result?),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn cancel(self) -> Cancel<P> {
        Cancel::new(self)
    }

    /// Ends the operation with [`ErrorKind::TimedOut`](io::ErrorKind::TimedOut) if it takes longer,
    /// from the time when it is first polled or submitted.
    ///
    /// It is then cancelled; where its caller's buffer is to come back, the result comes once the
    /// kernel has let go of the buffer, which a transfer that has begun on a disk delays. If it
    /// ends meanwhile, that is its result.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// use std::{io::ErrorKind, time::Duration};
    /// match ctx.read(4096, fd, 0).timeout(Duration::from_millis(50)).await {
    ///     Err(error) if error.kind() == ErrorKind::TimedOut => eprintln!("no data for 50 ms"),
    ///     result => println!("{} bytes", result?.len()),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        if let (State::InFlight(flight), false) = (&self.state, self.ctx.shared().is_inherited()) {
            self.ctx.shared().limit(flight.key, timeout);
        }
        self
    }

    /// Says how urgent the operation is to the disk's scheduler. A level above 7 makes the
    /// operation fail with [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput).
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// use caio_core::IoPriority;
    /// let (written, _) = ctx.write(b"a backup can wait", fd, 0).priority(IoPriority::Idle).await;
    /// written?;
    /// # Ok(()) }
    /// ```
    pub fn priority(mut self, priority: IoPriority) -> Self {
        self.priority = Some(priority);
        let table = &self.ctx.shared().table;
        if let (State::InFlight(InFlight { key, wait: Wait::Staged, .. }), false) =
            (&self.state, self.ctx.shared().is_inherited())
        {
            match check_priority(priority) {
                Ok(()) => table.set_priority(*key, priority),
                Err(error) if table.unstage(*key) => self.fail(error),
                Err(_) => {}
            }
        }
        self
    }

    /// Asks the backend to end it early. Gives its end where it has not started.
    pub(crate) fn ask_cancel(&mut self) -> Option<End> {
        match &self.state {
            State::New => {
                self.state = State::Taken;
                Some(End { result: Err(error::cancelled()), cancelled: true })
            }
            State::InFlight(flight) => {
                if !self.ctx.shared().is_inherited() {
                    self.ctx.shared().cancel(flight.key);
                }
                None
            }
            State::Ended(_) | State::Taken => None,
        }
    }

    /// The payload, once the operation has ended.
    pub(crate) fn take_payload(&mut self) -> Option<P> {
        debug_assert!(matches!(self.state, State::Taken), "the memory of an operation in flight is not its future's");
        self.payload.take()
    }
}

impl<P: Payload> Future for Operation<P> {
    type Output = P::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<P::Output> {
        let this = self.get_mut();
        let Poll::Ready(end) = this.poll_end(cx) else {
            if let Some(output) = this.poll_expired() {
                this.leave();
                return Poll::Ready(output);
            }
            return Poll::Pending;
        };
        match this.take_payload() {
            // SAFETY: the operation has ended with this result, as the table said; or it never ran,
            // and this is an error.
            Some(payload) => Poll::Ready(P::output(unsafe { payload.finish(end.result) })),
            None => panic!("an operation was polled after it had given its result"),
        }
    }
}

impl<P: Payload> Operation<P> {
    /// Gives the operation up: the table keeps its memory until the backend is done.
    fn leave(&mut self) {
        let State::InFlight(flight) = std::mem::replace(&mut self.state, State::Taken) else {
            return;
        };
        let ctx = self.ctx.share();
        let (shared, key) = (ctx.shared(), flight.key);
        if shared.is_inherited() {
            std::mem::forget(self.payload.transfer());
            return;
        }
        if let (Wait::Yielding(lease), Some(policy)) = (flight.wait, shared.policies.of(flight.class, flight.thread)) {
            policy.end(lease, false);
        }
        let part = self.part(&flight);
        let (abandoned, mut effects) = shared.table.abandon(key, || (self.orphan)(self.payload.transfer(), part));
        if effects.timed {
            shared.unschedule(key);
        }
        drop(effects.waker.take()); // it is this future's own
        shared.tell(effects);
        match abandoned {
            table::Abandoned::Running { reads } => {
                if reads {
                    shared.cancel(key);
                } else if matches!(flight.wait, Wait::Unflushed) {
                    ctx.backend_ref().flush(Flush::Now);
                }
                ctx.backend_ref().arm();
            }
            table::Abandoned::Ended(ended) => {
                if ended.timed {
                    shared.unschedule(key);
                }
                (self.orphan)(self.payload.transfer(), part).discard(ended.completion);
            }
            table::Abandoned::NeverRan { waited } => {
                if waited {
                    shared.stats.ended(false, &Completion::Cancelled);
                }
            }
        }
    }
}

impl<P: Payload> fmt::Debug for Operation<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::New => "not started",
            State::InFlight(_) => "in flight",
            State::Ended(_) => "ended",
            State::Taken => "result taken",
        };
        write!(f, "Operation(offset {}, {state})", self.offset)
    }
}

impl<P: Payload> Drop for Operation<P> {
    #[inline]
    fn drop(&mut self) {
        if let State::InFlight(_) = self.state {
            self.leave();
        }
    }
}
