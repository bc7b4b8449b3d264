//! The future of an operation: starts it, looks for its end, and leaves its memory behind if it is dropped.

mod look;
mod split;
mod start;

use crate::SharedFd;
use crate::buf::Held;
use crate::cancel::Cancel;
use crate::context::Context;
use crate::error;
use crate::key::Key;
use crate::op::IoPriority;
use crate::payload::{Abandoned, Orphan, Payload};
use crate::table::Detached;
use crate::wait::{Gaze, Seat};
use split::Split;
use start::{Begun, check_priority};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

/// A read, write or sync, made by a method of [`Context`]; awaiting it gives its result.
///
/// It is lazy: nothing happens until it is polled or [`submit`](Self::submit)ted. Dropping it abandons the operation: a read
/// is cancelled if it can be, a write or a sync may still be carried out; the memory stays alive until the kernel is done with
/// it. Dropping never blocks, and leaking it leaks memory at worst.
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
#[derive(Debug)]
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
    /// How long it may take.
    timeout: Option<Duration>,
    /// When its time is up, once that is scheduled.
    deadline: Option<Instant>,
    /// How many bytes were read before it was in flight, piece by piece.
    done: usize,
    /// How far it has come, if it is in two parts.
    split: Split,
    /// Where its future looks from.
    seat: Seat,
    /// How many transfers past the page cache had started before it, if it is one.
    before: u32,
    /// How far it has come.
    phase: Phase,
}

/// How far an operation's future has come.
#[derive(Debug)]
enum Phase {
    /// Not started.
    Lazy,
    /// In a batch that may not have been submitted.
    Staged(Key),
    /// Given to the backend, and not flushed, so that others can be flushed with it.
    Queued(Key),
    /// In flight, and its future has not looked yet.
    Started(Key),
    /// In flight, and its future looks again instead of parking.
    Looking(Key, Gaze),
    /// In flight, and whoever completes it wakes its future.
    Parked(Key),
    /// Ended before it was polled.
    Ended(End),
    /// The result was given.
    Taken,
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
    /// An operation that has not started. This is the only way to make one, and so nothing borrowed is ever in flight; the
    /// type itself does not say `'static`, because then the compiler could not prove that futures which hold it are `Send`.
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
            deadline: None,
            done: 0,
            split: Split::Not,
            seat: Seat::unknown(),
            before: 0,
            phase: Phase::Lazy,
        }
    }

    /// Starts the operation now; it is awaited later. Where there is no room it starts, in its turn, once there is.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let next = ctx.read(4096, fd, 4096).submit(); // in flight from here on
    /// let data = ctx.read(4096, fd, 0).await?;
    /// let more = next.await?;
    /// # Ok(()) }
    /// ```
    pub fn submit(mut self) -> Self {
        match self.phase {
            Phase::Lazy => match self.begin(None) {
                Begun::Ended(end) => self.phase = Phase::Ended(end),
                Begun::Started | Begun::Halfway | Begun::Split => self.arm_if_waiting(),
            },
            Phase::Staged(key) if !self.ctx.shared().is_inherited() => {
                self.release(key);
                self.arm_if_waiting();
            }
            Phase::Queued(key) => self.flush(key),
            Phase::Staged(_)
            | Phase::Started(_)
            | Phase::Looking(..)
            | Phase::Parked(_)
            | Phase::Ended(_)
            | Phase::Taken => {}
        }
        self
    }

    /// Asks for the operation to end early, and tells which it did: see [`Outcome`](crate::Outcome).
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

    /// Ends the operation with [`ErrorKind::TimedOut`](io::ErrorKind::TimedOut) if it takes longer, from the time when it is
    /// first polled or submitted.
    ///
    /// It is then cancelled; where its caller's buffer is to come back, the result comes once the kernel has let go of the
    /// buffer, which a transfer that has begun on a disk delays. If it ends meanwhile, that is its result.
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
        if let Phase::Queued(key) | Phase::Started(key) | Phase::Looking(key, _) | Phase::Parked(key) = self.phase {
            self.schedule(key);
        }
        self
    }

    /// Says how urgent the operation is to the disk's scheduler. A level above 7 makes the operation fail with
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput).
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
        let shared = self.ctx.shared();
        if let (Phase::Staged(key), false) = (&self.phase, shared.is_inherited()) {
            match check_priority(priority) {
                Ok(()) => shared.table.set_priority(*key, priority),
                Err(error) if shared.table.unstage(*key) => self.fail(error),
                Err(_) => {}
            }
        }
        self
    }

    /// Asks the backend to end it early. Gives its end where it has not started.
    pub(crate) fn ask_cancel(&mut self) -> Option<End> {
        match self.phase {
            Phase::Lazy => {
                self.phase = Phase::Taken;
                Some(End { result: Err(error::cancelled()), cancelled: true })
            }
            Phase::Staged(key)
            | Phase::Queued(key)
            | Phase::Started(key)
            | Phase::Looking(key, _)
            | Phase::Parked(key) => {
                if !self.ctx.shared().is_inherited() {
                    self.ctx.shared().cancel(key);
                }
                None
            }
            Phase::Ended(_) | Phase::Taken => None,
        }
    }

    /// The payload, once the operation has ended.
    pub(crate) fn take_payload(&mut self) -> Option<P> {
        debug_assert!(matches!(self.phase, Phase::Taken), "the memory of an operation in flight is not its future's");
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
            // SAFETY: the operation has ended with this result, as the table said; or it never ran, and this is an error.
            Some(payload) => Poll::Ready(unsafe { payload.finish(end.result) }),
            None => panic!("an operation was polled after it had given its result"),
        }
    }
}

impl<P: Payload> Operation<P> {
    /// The payload as the table keeps it.
    fn orphan(&mut self) -> Box<dyn Orphan> {
        let orphan: Box<dyn Orphan + '_> = Box::new(Abandoned(self.payload.transfer()));
        // SAFETY: `new` demanded that the payload's type is `'static`, so the longer lifetime is the true one.
        unsafe { std::mem::transmute::<Box<dyn Orphan + '_>, Box<dyn Orphan + 'static>>(orphan) }
    }

    /// Gives the operation up: the table keeps its memory until the backend is done.
    fn leave(&mut self) {
        if let Phase::Looking(_, gaze) = self.phase {
            self.ctx.shared().patience(self.seat).end(gaze, true);
        }
        let queued = matches!(self.phase, Phase::Queued(_));
        let key = match std::mem::replace(&mut self.phase, Phase::Taken) {
            Phase::Staged(key)
            | Phase::Queued(key)
            | Phase::Started(key)
            | Phase::Looking(key, _)
            | Phase::Parked(key) => key,
            Phase::Lazy | Phase::Ended(_) | Phase::Taken => return,
        };
        let ctx = self.ctx.share();
        let shared = ctx.shared();
        if shared.is_inherited() {
            std::mem::forget(self.payload.transfer());
            return;
        }
        if let Some(deadline) = self.deadline.take() {
            shared.unschedule(deadline, key);
        }
        match shared.table.detach(key) {
            Detached::Ended(completion) => self.orphan().discard(completion),
            Detached::Unstarted => {}
            Detached::Waited => shared.stats.cancelled(),
            Detached::Running => match shared.table.abandon(key, self.orphan()) {
                Ok(true) => {
                    shared.cancel(key);
                    ctx.carrier().arm();
                }
                Ok(false) => {
                    if queued {
                        ctx.carrier().flush();
                    }
                    ctx.carrier().arm();
                }
                Err((orphan, completion)) => orphan.discard(completion),
            },
        }
    }
}

impl<P: Payload> Drop for Operation<P> {
    fn drop(&mut self) {
        self.leave();
    }
}
