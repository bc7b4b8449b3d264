//! Wakers that do what they should not, or what few do.

use super::cases;
use crate::context::Context;
use crate::fixture::Fixture;
use crate::kit::{block_on, park, pattern, pipe, until};
use caio_core::NO_OFFSET;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

cases!("wakers":
    that_poll_at_once, that_poll_at_once_in_a_close, that_start_operations, that_drop_the_context;
    process: that_panic, that_panic_in_a_close, whose_panic_panics_when_it_is_dropped,
);

/// A task that runs wherever it is woken.
struct Inline {
    /// What it does; gone when it is done.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// Whether it is to be polled once more.
    woken: AtomicBool,
    /// Counts the tasks that are done.
    done: Arc<AtomicUsize>,
}

impl Inline {
    /// Starts it here.
    fn spawn(future: impl Future<Output = ()> + Send + 'static, done: &Arc<AtomicUsize>) {
        let future = Mutex::new(Some(Box::pin(future) as Pin<Box<_>>));
        Arc::new(Self { future, woken: AtomicBool::new(false), done: Arc::clone(done) }).run();
    }

    /// Polls it until nobody has woken it.
    fn run(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        loop {
            // Whoever polls it already polls it once more.
            let Ok(mut future) = self.future.try_lock() else { return };
            if !self.woken.swap(false, Ordering::SeqCst) {
                return;
            }
            let waker = Waker::from(Arc::clone(&self));
            let Some(polled) = future.as_mut() else { return };
            if polled.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_ready() {
                *future = None;
                self.done.fetch_add(1, Ordering::SeqCst);
                return;
            }
            drop(future);
            if !self.woken.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}

/// Tasks that are polled inside `wake` work as all others.
fn that_poll_at_once(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("shared", &pattern(20_000));
    let done = Arc::new(AtomicUsize::new(0));
    let mut writers = Vec::new();
    let (empty, _writer) = pipe();
    for index in 0..16_u64 {
        let (reader, writer) = pipe();
        writers.push(writer);
        let (ctx, fd, empty) = (ctx.clone(), fd.clone(), empty.clone());
        let task = async move {
            for round in 0..20 {
                assert_eq!(ctx.read(100, &fd, round * 50).await.expect("a read").len(), 100);
                assert_eq!(ctx.write(vec![1; 10], &fd, 30_000 + index * 10).await.0.expect("a write"), 10);
                ctx.fdsync(&fd).await.expect("a sync");
                let late = ctx.read(1, &empty, NO_OFFSET).timeout(Duration::from_millis(1)).await;
                assert_eq!(late.expect_err("nothing was written").kind(), std::io::ErrorKind::TimedOut);
            }
            assert_eq!(ctx.read(1, &reader, NO_OFFSET).await.expect("a read"), b"x");
        };
        Inline::spawn(task, &done);
    }
    writers.iter_mut().for_each(|writer| writer.write_all(b"x").expect("room"));
    until("all tasks are done", || done.load(Ordering::SeqCst) == 16);
    until("all room is given back", || ctx.in_flight() == 0);
}

/// So does a close.
fn that_poll_at_once_in_a_close(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let (reader, mut writer) = pipe();
    let mut read = ctx.read(1, &reader, NO_OFFSET);
    park(&mut read);
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..8 {
        let ctx = ctx.clone();
        let task = async move {
            ctx.close().await;
            ctx.close().await;
        };
        Inline::spawn(task, &done);
    }
    writer.write_all(b"x").expect("room");
    assert_eq!(block_on(read).expect("a read"), b"x");
    until("all have closed", || done.load(Ordering::SeqCst) == 8);
}

/// Starts an operation wherever it is woken.
struct Starter {
    /// Where.
    ctx: Context,
    /// On this file.
    fd: caio_core::SharedFd,
    /// How often.
    started: AtomicUsize,
}

impl Wake for Starter {
    fn wake(self: Arc<Self>) {
        drop(self.ctx.fsync(&self.fd).submit());
        drop(self.ctx.read(10, &self.fd, 0).submit());
        self.started.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker may start operations, drop others, and ask how many there are.
fn that_start_operations(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let fd = fixture.file("shared", &pattern(1000));
    let starter = Arc::new(Starter { ctx: ctx.clone(), fd: fd.clone(), started: AtomicUsize::new(0) });
    let waker = Waker::from(Arc::clone(&starter));
    for _ in 0..20 {
        let mut syncs: Vec<_> = (0..6).map(|_| ctx.fsync(&fd)).collect();
        until("all have ended", || {
            syncs.retain_mut(|sync| Pin::new(sync).poll(&mut TaskContext::from_waker(&waker)).is_pending());
            syncs.is_empty()
        });
    }
    until("all has ended", || ctx.in_flight() == 0 && ctx.queued() == 0);
    assert!(starter.started.load(Ordering::SeqCst) > 0, "nobody was woken");
}

/// Has the last handle of a context, and drops it when it is woken.
struct Last(Mutex<Option<Context>>);

impl Wake for Last {
    fn wake(self: Arc<Self>) {
        let last = self.0.lock().ok().and_then(|mut last| last.take());
        drop(last);
    }
}

/// A waker may drop the last handle of the context.
fn that_drop_the_context(fixture: &Fixture) {
    for _ in 0..20 {
        let ctx = fixture.bounded(4);
        let (reader, mut writer) = pipe();
        let mut read = ctx.read(1, &reader, NO_OFFSET);
        park(&mut read);
        let last = Arc::new(Last(Mutex::new(Some(ctx))));
        let waker = Waker::from(Arc::clone(&last));
        let mut pending = true;
        while pending {
            pending = match Pin::new(&mut read).poll(&mut TaskContext::from_waker(&waker)) {
                Poll::Ready(_) => panic!("nothing was written yet"),
                // Woken by itself it would have dropped the context.
                Poll::Pending => false,
            };
        }
        writer.write_all(b"x").expect("room");
        assert_eq!(block_on(read).expect("a read"), b"x");
    }
}

/// A payload that panics when it is dropped.
struct Nasty;

impl Drop for Nasty {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("the drop of a payload that panics, on purpose"));
    }
}

/// Panics when a thread of ours wakes it.
struct Bomb {
    /// Who may wake it.
    own: ThreadId,
    /// Whether its payload panics as well.
    nasty: bool,
    /// How often it went off.
    panics: AtomicUsize,
}

impl Bomb {
    /// One that this thread may wake.
    fn new(nasty: bool) -> Arc<Self> {
        Arc::new(Self { own: thread::current().id(), nasty, panics: AtomicUsize::new(0) })
    }

    /// How often it went off.
    fn panics(&self) -> usize {
        self.panics.load(Ordering::SeqCst)
    }
}

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        if thread::current().id() == self.own {
            return;
        }
        self.panics.fetch_add(1, Ordering::SeqCst);
        if self.nasty {
            std::panic::resume_unwind(Box::new(Nasty));
        }
        std::panic::resume_unwind(Box::new("a waker that panics, on purpose"));
    }
}

/// Polls with a bomb until it parks with it.
fn park_with(bomb: &Arc<Bomb>, future: &mut (impl Future + Unpin)) {
    let _alarm = park(future);
    let waker = Waker::from(Arc::clone(bomb));
    drop(Pin::new(future).poll(&mut TaskContext::from_waker(&waker)));
}

/// Has a bomb woken by a read that ends, by one whose time is up, and by a write and a sync; all else works on.
fn survives(fixture: &Fixture, nasty: bool) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("shared", &pattern(1000));
    for round in 0..10 {
        let bomb = Bomb::new(nasty);
        let (reader, mut writer) = pipe();
        let mut read = ctx.read(1, &reader, NO_OFFSET);
        let mut late = ctx.read(1, &reader, NO_OFFSET);
        park_with(&bomb, &mut read);
        park_with(&bomb, &mut late);
        let late = late.timeout(Duration::from_millis(20));
        until("its time is up", || bomb.panics() >= 1 && ctx.in_flight() < 2);
        writer.write_all(b"x").expect("room");
        until("the bomb has gone off for both", || bomb.panics() >= 2);
        let waker = Waker::from(Arc::clone(&bomb));
        let mut syncs: Vec<_> = (0..4).map(|_| ctx.fsync(&fd)).collect();
        until("all have ended", || {
            syncs.retain_mut(|sync| Pin::new(sync).poll(&mut TaskContext::from_waker(&waker)).is_pending());
            syncs.is_empty()
        });
        assert_eq!(block_on(read).expect("a read"), b"x");
        block_on(late).expect_err("nothing was left for it");
        let mut others = ctx.read(1, &reader, NO_OFFSET);
        park(&mut others);
        writer.write_all(&[round]).expect("room");
        assert_eq!(block_on(others).expect("a read"), [round]);
        assert_eq!(block_on(ctx.write(vec![round], &fd, 0)).0.expect("a write"), 1);
        block_on(ctx.fsync(&fd)).expect("a sync");
        let late = ctx.read(1, &reader, NO_OFFSET).timeout(Duration::from_millis(5));
        block_on(late).expect_err("its time is up");
    }
    until("all room is given back", || ctx.in_flight() == 0);
}

/// A panic harms nobody else, whoever woke it.
fn that_panic(fixture: &Fixture) {
    survives(fixture, false);
}

/// Nor does one whose payload panics.
fn whose_panic_panics_when_it_is_dropped(fixture: &Fixture) {
    survives(fixture, true);
}

/// A close that is awaited by a task which panics ends for the others.
fn that_panic_in_a_close(fixture: &Fixture) {
    for nasty in [false, true] {
        let ctx = fixture.bounded(4);
        let (reader, mut writer) = pipe();
        let mut read = ctx.read(1, &reader, NO_OFFSET);
        park(&mut read);
        let bomb = Bomb::new(nasty);
        let mut bombed: Vec<_> = (0..3).map(|_| ctx.close()).collect();
        let waker = Waker::from(Arc::clone(&bomb));
        for close in &mut bombed {
            assert!(Pin::new(close).poll(&mut TaskContext::from_waker(&waker)).is_pending());
        }
        let other = ctx.clone();
        let closing = thread::spawn(move || block_on(other.close()));
        writer.write_all(b"x").expect("room");
        until("the close ends for the others", || closing.is_finished());
        assert_eq!(block_on(read).expect("a read"), b"x");
        block_on(crate::kit::join_all(bombed));
        // The threads that all contexts share are alive.
        let again = fixture.bounded(4);
        let late = again.read(1, &reader, NO_OFFSET).timeout(Duration::from_millis(5));
        block_on(late).expect_err("its time is up");
    }
}
