//! Ending an operation early, and telling which came first.

use crate::operation::{End, Operation};
use crate::payload::Payload;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The outcome of a cancellation.
///
/// ```
/// use caio_core::Outcome;
/// fn buffer<B>(outcome: Outcome<B>) -> B {
///     match outcome {
///         Outcome::Cancelled(buf) | Outcome::Completed(_, buf) => buf,
///     }
/// }
/// ```
#[derive(Debug)]
pub enum Outcome<B> {
    /// It was cancelled: nothing was transferred.
    Cancelled(B),
    /// It ended first, with these bytes transferred (0 of a sync) or this error.
    Completed(io::Result<usize>, B),
}

/// Cancels an operation and waits until it has ended one way or the other; made by
/// [`Operation::cancel`].
///
/// A transfer that has begun on a disk cannot be cancelled, and is waited for; what waits for data
/// or for room can.
///
/// ```
/// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
/// use caio_core::{Cancel, Outcome, Read};
/// let cancel: Cancel<Read> = ctx.read(4096, fd, 0).submit().cancel();
/// if let Outcome::Completed(result, _data) = cancel.await {
///     println!("too late: {} bytes were read", result?);
/// }
/// # Ok(()) }
/// ```
#[must_use = "a cancel does nothing until it is awaited"]
#[derive(Debug)]
pub struct Cancel<P: Payload> {
    /// The operation.
    op: Operation<P>,
    /// Whether the backend was asked.
    asked: bool,
}

impl<P: Payload> Cancel<P> {
    /// Cancels an operation once polled.
    pub(crate) fn new(op: Operation<P>) -> Self {
        Self { op, asked: false }
    }

    /// How the operation ended.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if !std::mem::replace(&mut self.asked, true) {
            if let Some(end) = self.op.ask_cancel() {
                return Poll::Ready(end);
            }
        }
        self.op.poll_end(cx)
    }
}

impl<P: Payload> Future for Cancel<P> {
    type Output = Outcome<P::Buffer>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Poll::Ready(End { result, cancelled }) = this.poll_end(cx) else {
            return Poll::Pending;
        };
        let Some(payload) = this.op.take_payload() else {
            panic!("a cancel was polled after it had given its outcome");
        };
        // SAFETY: the operation has ended with this result, as the table said; or it never ran, and
        // this is an error.
        let (result, buf) = unsafe { payload.finish(result) };
        Poll::Ready(if cancelled { Outcome::Cancelled(buf) } else { Outcome::Completed(result, buf) })
    }
}
