//! How long the library keeps its caller: each poll, drop and submission of a case is measured.

use crate::stopwatch::Stopwatch;
use caio_core::{Cancel, IoPriority, Operation, Payload};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

/// The longest call of a case.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Longest {
    /// How long it took.
    pub(crate) time: Duration,
    /// Which call it was.
    pub(crate) call: &'static str,
}

impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} took {:.3} ms", self.call, self.time.as_secs_f64() * 1e3)
    }
}

/// Measures the calls of a case.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// The longest so far.
    longest: Mutex<Longest>,
    /// Whether the case itself makes them slow.
    ignored: AtomicBool,
}

impl Meter {
    /// Measures a call.
    pub(crate) fn measure<T>(&self, call: &'static str, code: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let result = code();
        let time = watch.elapsed();
        if self.ignored.load(Ordering::Relaxed) {
            return result;
        }
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        if time > longest.time {
            *longest = Longest { time, call };
        }
        result
    }

    /// Ignores what is called from now on: the case itself makes it slow.
    pub(crate) fn ignore(&self) {
        self.ignored.store(true, Ordering::Relaxed);
    }

    /// The longest call so far.
    pub(crate) fn longest(&self) -> Longest {
        *self.longest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future whose polls and whose drop are measured.
#[derive(Debug)]
pub(crate) struct Timed<F> {
    /// The future; taken when it goes.
    inner: Option<F>,
    /// Measures.
    meter: Arc<Meter>,
}

impl<F> Timed<F> {
    /// Measures a future.
    pub(crate) fn new(inner: F, meter: &Arc<Meter>) -> Self {
        Self { inner: Some(inner), meter: Arc::clone(meter) }
    }

    /// Turns the future into another.
    fn map<T>(mut self, call: &'static str, turn: impl FnOnce(F) -> T) -> Timed<T> {
        let meter = Arc::clone(&self.meter);
        let inner = self.inner.take().map(|inner| meter.measure(call, || turn(inner)));
        Timed { inner, meter }
    }
}

impl<P: Payload> Timed<Operation<P>> {
    /// As the operation's.
    pub(crate) fn submit(self) -> Self {
        self.map("a submit", Operation::submit)
    }

    /// As the operation's.
    pub(crate) fn cancel(self) -> Timed<Cancel<P>> {
        self.map("a cancel", Operation::cancel)
    }

    /// As the operation's.
    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        self.map("a timeout", |operation| operation.timeout(timeout))
    }

    /// As the operation's.
    pub(crate) fn priority(self, priority: IoPriority) -> Self {
        self.map("a priority", |operation| operation.priority(priority))
    }
}

impl<F: Future + Unpin> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let inner = this.inner.as_mut().expect("it is taken only where the future goes");
        this.meter.measure("a poll", || Pin::new(inner).poll(cx))
    }
}

impl<F> Drop for Timed<F> {
    fn drop(&mut self) {
        let inner = self.inner.take();
        if inner.is_some() {
            self.meter.measure("a drop", || drop(inner));
        }
    }
}
