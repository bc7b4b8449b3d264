//! What the tests share.

use caio_conformance::kit::until;
use caio_core::{
    Attempt, Attempted, Backend, BackendKind, Context, Finished, Key, Opened, Request, Settings, SharedFd, Submitted,
};
use caio_thread::{Counters, Pool, PoolSettings};
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

pub(crate) use futures::executor::block_on;

/// A new file with nothing in it.
pub(crate) fn file() -> SharedFd {
    tempfile::tempfile().expect("a temporary file").into()
}

/// A backend of another kind that borrows the pool and nothing else: what the pool does is seen from here.
struct Borrower(Pool);

#[allow(unsafe_code)]
// SAFETY: the pool keeps the trait's promises, and does all of it.
unsafe impl Backend for Borrower {
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        attempt.missed()
    }

    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        self.0.submit(request).map(|()| Submitted::Alone)
    }

    fn arm(&self) {
        self.0.arm();
    }

    fn cancel(&self, key: Key) {
        self.0.cancel(key);
    }

    fn shutdown(&self) {
        self.0.shutdown();
    }
}

/// A context over a pool, and the pool.
pub(crate) fn pooled(settings: PoolSettings) -> (Context, Pool) {
    let mut pool = None;
    let opened = Context::open(&Settings::default(), BackendKind::Thread, |common, completer| {
        let made = Pool::new(settings, completer);
        pool = Some(made.clone());
        Ok(Opened {
            backend: Arc::new(Borrower(made)),
            kind: BackendKind::Thread,
            max_requests: common.max_requests,
            driver: None,
        })
    });
    let (ctx, _) = opened.expect("it opens");
    (ctx, pool.expect("it was opened"))
}

/// Settings with this many workers.
pub(crate) fn workers(max_threads: usize) -> PoolSettings {
    let mut settings = PoolSettings::default();
    settings.max_threads = max_threads;
    settings
}

/// What a pool has done, without the number of workers that there are now.
pub(crate) fn started(pool: &Pool) -> u64 {
    let Counters { started, .. } = pool.counters();
    started
}

/// Keeps one worker busy until it is dropped: with a task whose waker does not return.
pub(crate) struct Stall {
    /// The operation whose end stalls the worker.
    op: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Lets go once dropped.
    gate: Option<Sender<()>>,
}

impl Stall {
    /// Returns once a worker is stuck, with a lane that nobody else has.
    pub(crate) fn new(ctx: &Context) -> Self {
        Self::on(ctx, &file())
    }

    /// Returns once a worker is stuck after it has written to this file.
    pub(crate) fn on(ctx: &Context, fd: &SharedFd) -> Self {
        let (gate, closed) = channel();
        let (stuck, is_stuck) = channel();
        let waker = Waker::from(Arc::new(Sticky { stuck, gate: Mutex::new(closed) }));
        let mut cx = std::task::Context::from_waker(&waker);
        let mut op: Pin<Box<dyn Future<Output = ()>>>;
        // One that has ended before it could leave its waker wakes nobody.
        while {
            let write = ctx.write(b"stall", fd, 0).submit();
            op = Box::pin(async { drop(write.await) });
            op.as_mut().poll(&mut cx).is_ready()
        } {}
        // Polled until it parks, as a task is: only then does the pool have to do without workers that are stuck already.
        let mut ended = false;
        until("a worker delivers", || {
            ended = ended || op.as_mut().poll(&mut cx).is_ready();
            is_stuck.try_recv().is_ok()
        });
        Self { op: Some(op), gate: Some(gate) }
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        drop(self.gate.take());
        drop(self.op.take());
    }
}

/// A waker that keeps the worker which calls it, and nobody else.
struct Sticky {
    /// Told when a worker is stuck.
    stuck: Sender<()>,
    /// Closed when it may go on.
    gate: Mutex<Receiver<()>>,
}

impl Wake for Sticky {
    fn wake(self: Arc<Self>) {
        if std::thread::current().name() == Some("caio-worker") {
            let told = self.stuck.send(());
            assert!(told.is_ok(), "the test waits for it");
            let opened = self.gate.lock().expect("one worker at a time").recv();
            assert!(opened.is_err(), "nothing is sent");
        }
    }
}
