//! Awaiting without a runtime.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long something that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Unparks a thread, and counts.
#[derive(Debug)]
pub struct Alarm {
    /// The thread.
    thread: Thread,
    /// How often it was woken.
    wakes: AtomicUsize,
}

impl Alarm {
    /// Wakes the calling thread.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), wakes: AtomicUsize::new(0) })
    }

    /// How often it was woken.
    pub fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// Runs a future in this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Alarm::new());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        thread::park();
    }
}

/// Polls a future once, with a waker that does nothing.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Awaits all, concurrently, and gives their results in order.
pub async fn join_all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    let mut pending: Vec<Option<F>> = futures.into_iter().map(Some).collect();
    let mut outputs: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    poll_fn(move |cx| {
        for (slot, output) in pending.iter_mut().zip(&mut outputs) {
            if let Some(Poll::Ready(ready)) = slot.as_mut().map(|future| Pin::new(future).poll(cx)) {
                *output = Some(ready);
                *slot = None;
            }
        }
        if pending.iter().any(Option::is_some) {
            return Poll::Pending;
        }
        Poll::Ready(outputs.iter_mut().filter_map(Option::take).collect())
    })
    .await
}

/// Awaits two futures, concurrently.
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut left, mut right) = (None, None);
    poll_fn(move |cx| {
        if left.is_none() {
            left = ready(a.as_mut().poll(cx));
        }
        if right.is_none() {
            right = ready(b.as_mut().poll(cx));
        }
        match (left.take(), right.take()) {
            (Some(left), Some(right)) => Poll::Ready((left, right)),
            (one, other) => {
                (left, right) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

/// What is ready.
fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Waits until something has happened; it must happen by itself.
#[track_caller]
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "it did not happen: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Polls a future until it has parked: has come to rest without asking to be polled again. It must not end.
///
/// # Panics
/// If it ends, or asks for polls without end.
#[track_caller]
pub fn park<F: Future + Unpin>(future: &mut F) -> Arc<Alarm> {
    let started = Instant::now();
    let alarm = Alarm::new();
    let waker = Waker::from(Arc::clone(&alarm));
    loop {
        let seen = alarm.wakes();
        let ended = Pin::new(&mut *future).poll(&mut Context::from_waker(&waker)).is_ready();
        assert!(!ended, "the operation was to have nothing to do yet");
        if alarm.wakes() == seen {
            return alarm;
        }
        assert!(started.elapsed() < PATIENCE, "a future that has nothing to do must come to rest");
    }
}

/// Runs something that must end in time, in a thread of its own.
///
/// # Panics
/// If it panics, or does not end.
#[track_caller]
pub fn within<T: Send + 'static>(time: Duration, code: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = channel();
    let thread = thread::spawn(move || drop(done.send(code())));
    match ended.recv_timeout(time) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("it did not end within {time:?}"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends has sent"),
        },
    }
}
