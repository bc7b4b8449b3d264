//! The table's concurrency, under all interleavings that `loom` can think of.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p caio-core --test loom --release`
#![cfg(loom)]

use caio_core::{
    Backend, BackendKind, Completer, Context, Finished, Key, NO_OFFSET, Opened, Outcome, Request, Settings, SharedFd,
    Submitted,
};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

/// A backend that holds requests until a thread of the model ends them.
struct Mock {
    /// The way back.
    completer: Completer,
    /// What is out.
    out: Mutex<Vec<Request>>,
    /// The most that was ever out.
    peak: AtomicUsize,
    /// How often a cancel was asked for.
    cancels: AtomicUsize,
}

// SAFETY: the models deliver each request once, to the completer of its mock.
unsafe impl Backend for Mock {
    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        let mut out = self.out.lock().unwrap();
        out.push(request);
        self.peak.fetch_max(out.len(), Ordering::SeqCst);
        Ok(Submitted::Alone)
    }

    fn cancel(&self, _key: Key) {
        self.cancels.fetch_add(1, Ordering::SeqCst);
    }

    fn shutdown(&self) {}
}

impl Mock {
    /// Ends the oldest request, if there is one.
    fn end_one(&self, cancelled: bool) -> bool {
        let mut out = self.out.lock().unwrap();
        if out.is_empty() {
            return false;
        }
        let request = out.remove(0);
        drop(out);
        self.completer.deliver(if cancelled { request.cancelled() } else { request.finish(Ok(0)) });
        true
    }
}

/// A context with this bound, and its backend.
fn open(max_requests: usize) -> (Context, Arc<Mock>) {
    let mut settings = Settings::default();
    settings.max_requests = max_requests;
    let mut mock = None;
    let open = |settings: &Settings, completer| {
        let backend = Arc::new(Mock {
            completer,
            out: Mutex::new(Vec::new()),
            peak: AtomicUsize::new(0),
            cancels: AtomicUsize::new(0),
        });
        mock = Some(Arc::clone(&backend));
        Ok(Opened { backend, kind: BackendKind::Thread, max_requests: settings.max_requests, driver: None })
    };
    let (ctx, _) = Context::open(&settings, BackendKind::Thread, open).unwrap();
    (ctx, mock.unwrap())
}

/// Some file.
fn file() -> SharedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

/// Awaits a future; a wake that is lost is a deadlock, which loom reports.
fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
    loom::future::block_on(std::future::poll_fn(move |cx| Pin::new(&mut future).poll(cx)))
}

/// A completion and a poll meet.
#[test]
fn complete_and_poll() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let sync = ctx.fsync(&file()).submit();
        let reaper = thread::spawn({
            let mock = Arc::clone(&mock);
            move || assert!(mock.end_one(false))
        });
        block_on(sync).unwrap();
        reaper.join().unwrap();
        assert_eq!(ctx.in_flight(), 0);
    });
}

/// A completion meets a poll that replaces the waker.
#[test]
fn complete_and_replace_the_waker() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let mut sync = ctx.fsync(&file());
        let pending = Pin::new(&mut sync).poll(&mut std::task::Context::from_waker(Waker::noop()));
        assert!(pending.is_pending());
        let reaper = thread::spawn({
            let mock = Arc::clone(&mock);
            move || assert!(mock.end_one(false))
        });
        block_on(sync).unwrap();
        reaper.join().unwrap();
    });
}

/// A completion and a drop meet: the memory is freed once, the room is given back.
#[test]
fn complete_and_drop() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let memory: Arc<[u8]> = Arc::from([1_u8; 8].as_slice());
        let write = ctx.write(Arc::clone(&memory), &file(), NO_OFFSET).submit();
        let reaper = thread::spawn({
            let mock = Arc::clone(&mock);
            move || assert!(mock.end_one(false))
        });
        drop(write);
        reaper.join().unwrap();
        assert_eq!((ctx.in_flight(), Arc::strong_count(&memory)), (0, 1));
    });
}

/// A completion and a cancel meet: the outcome is one of the two, and there is one.
#[test]
fn complete_and_cancel() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let sync = ctx.fsync(&file()).submit();
        let reaper = thread::spawn({
            let mock = Arc::clone(&mock);
            move || assert!(mock.end_one(mock.cancels.load(Ordering::SeqCst) != 0))
        });
        match block_on(sync.cancel()) {
            Outcome::Cancelled(()) => assert_eq!(mock.cancels.load(Ordering::SeqCst), 1),
            Outcome::Completed(result, ()) => assert_eq!(result.unwrap(), 0),
        }
        reaper.join().unwrap();
        assert_eq!(ctx.in_flight(), 0);
    });
}

/// Two starts and room for one: one runs, the other follows when there is room.
#[test]
fn two_starts_and_room_for_one() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let fd = file();
        let other = thread::spawn({
            let (ctx, fd) = (ctx.clone(), fd.clone());
            move || ctx.fsync(&fd).submit()
        });
        let here = ctx.fsync(&fd).submit();
        let there = other.join().unwrap();
        assert_eq!((ctx.in_flight(), ctx.queued()), (1, 1));
        assert!(mock.end_one(false) && mock.end_one(false) && !mock.end_one(false));
        block_on(here).unwrap();
        block_on(there).unwrap();
        assert_eq!(mock.peak.load(Ordering::SeqCst), 1);
    });
}

/// A start meets the completion that makes room for it.
#[test]
fn start_and_complete() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let fd = file();
        let first = ctx.fsync(&fd).submit();
        let reaper = thread::spawn({
            let mock = Arc::clone(&mock);
            move || assert!(mock.end_one(false))
        });
        let second = ctx.fsync(&fd).submit();
        reaper.join().unwrap();
        assert_eq!((ctx.in_flight(), ctx.queued()), (1, 0), "nobody waits where there is room");
        assert!(mock.end_one(false));
        block_on(first).unwrap();
        block_on(second).unwrap();
        assert_eq!(mock.peak.load(Ordering::SeqCst), 1);
    });
}

/// One that waits is dropped while room is made for it.
#[test]
fn drop_one_that_waits_and_complete() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let fd = file();
        let first = ctx.fsync(&fd).submit();
        let second = ctx.fsync(&fd).submit();
        let reaper = thread::spawn({
            let mock = Arc::clone(&mock);
            move || assert!(mock.end_one(false))
        });
        drop(second);
        reaper.join().unwrap();
        while mock.end_one(false) {}
        assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
        block_on(first).unwrap();
    });
}

/// A start meets a close: it runs and the close waits for it, or it is refused.
#[test]
fn start_and_close() {
    loom::model(|| {
        let (ctx, mock) = open(1);
        let fd = file();
        let starter = thread::spawn({
            let (ctx, fd, mock) = (ctx.clone(), fd.clone(), Arc::clone(&mock));
            move || {
                let sync = ctx.fsync(&fd).submit();
                mock.end_one(false);
                sync
            }
        });
        let mut close = Box::pin(ctx.close());
        let mut cx = std::task::Context::from_waker(Waker::noop());
        let closed = close.as_mut().poll(&mut cx).is_ready();
        assert!(!closed || ctx.in_flight() == 0, "a close is over when nothing runs");
        let sync = starter.join().unwrap();
        assert!(closed || close.as_mut().poll(&mut cx).is_ready(), "nothing runs any more");
        drop(block_on(sync));
        assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
    });
}
