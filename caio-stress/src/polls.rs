//! Ways to await an operation, and to give it up.

use crate::rng::Rng;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Wakes another waker, then panics.
struct Rude(Waker);

impl Wake for Rude {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
        std::panic::resume_unwind(Box::new("a waker that panics, on purpose"));
    }
}

/// A future whose waker panics when a thread of the library's wakes it.
struct Rudely<F>(F);

impl<F: Future + Unpin> Future for Rudely<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let rude = Waker::from(Arc::new(Rude(cx.waker().clone())));
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(&mut Context::from_waker(&rude))));
        // One that wakes itself in its poll has its own panic: it was to be polled again.
        polled.unwrap_or(Poll::Pending)
    }
}

/// Awaits a future in one of several ways: here, in another thread, or with a waker that panics.
pub(crate) async fn finish<F>(rng: &mut Rng, future: F) -> F::Output
where
    F: Future + Unpin + Send + 'static,
    F::Output: Send + 'static,
{
    match rng.below(64) {
        0 => {
            let (sender, receiver) = futures::channel::oneshot::channel();
            std::thread::spawn(move || drop(sender.send(futures::executor::block_on(future))));
            receiver.await.expect("the other thread ends it")
        }
        1..=4 => Rudely(future).await,
        _ => future.await,
    }
}

/// Polls a future some times, and gives it up: drops it here or in another thread, or forgets it.
pub(crate) async fn give_up<F>(rng: &mut Rng, future: F)
where
    F: Future + Unpin + Send + 'static,
{
    match poll_some(rng, future).await {
        Some(future) if rng.one_in(400) => std::mem::forget(future),
        Some(future) => drop_somewhere(rng, future),
        None => {}
    }
}

/// The same without forgetting it: one that waits for ever would keep its room for ever.
pub(crate) async fn drop_early<F>(rng: &mut Rng, future: F)
where
    F: Future + Unpin + Send + 'static,
{
    if let Some(future) = poll_some(rng, future).await {
        drop_somewhere(rng, future);
    }
}

/// Polls a future some times. Gives it back if it has not ended.
async fn poll_some<F: Future + Unpin>(rng: &mut Rng, mut future: F) -> Option<F> {
    for _ in 0..rng.below(4) {
        let once = |cx: &mut Context<'_>| {
            let poll = AssertUnwindSafe(|| Pin::new(&mut future).poll(cx).is_ready());
            Poll::Ready(catch_unwind(poll).unwrap_or(true)) // its result may have a buffer whose drop panics
        };
        if std::future::poll_fn(once).await {
            return None;
        }
    }
    Some(future)
}

/// Drops a future here or in another thread; a buffer of it may panic.
fn drop_somewhere<F: Send + 'static>(rng: &mut Rng, future: F) {
    if rng.one_in(20) {
        drop(std::thread::spawn(move || drop(future)));
    } else {
        drop(catch_unwind(AssertUnwindSafe(|| drop(future))));
    }
}
