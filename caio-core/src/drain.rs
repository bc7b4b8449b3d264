//! Waiting until a context has nothing in flight, in a task or in a thread.

use crate::shared::Shared;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Ends when nothing runs and nothing waits.
pub(crate) struct Drained<'a> {
    /// The operations.
    shared: &'a Shared,
    /// Under which number its waker is kept.
    number: Option<u64>,
}

impl<'a> Drained<'a> {
    /// Has not looked.
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self { shared, number: None }
    }
}

impl Future for Drained<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared;
        let inherited = shared.is_inherited();
        if inherited || shared.table.poll_drained(&mut self.number, cx.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Drained<'_> {
    fn drop(&mut self) {
        if let (Some(number), false) = (self.number, self.shared.is_inherited()) {
            self.shared.table.forget_drained(number);
        }
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future in this thread, for no longer than a time. Says whether it has ended.
pub(crate) fn block_on(future: impl Future<Output = ()>, timeout: Duration) -> bool {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let deadline = Instant::now().checked_add(timeout);
    let mut future = pin!(future);
    while future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => return false,
            Some(left) => thread::park_timeout(left),
            None => thread::park(),
        }
    }
    true
}
