//! Backends, wakers and programs that do not behave.

use crate::mock::{Bell, assert_pending, assert_ready, file, open, poll};
use crate::tracked::Tracked;
use caio_conformance::kit::until;
use caio_core::{NO_OFFSET, Submitted};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

#[test]
fn a_backend_that_takes_a_request_and_panics_keeps_its_memory() {
    let (ctx, mock) = open(1);
    mock.seen().panics = true;
    let (buf, drops) = Tracked::new(8);
    let mut read = ctx.read_into(buf, &file(), 0);
    let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut read, &Arc::default()).is_pending()));
    assert!(polled.is_err());
    drop(read);
    assert_eq!((drops.count(), ctx.in_flight()), (0, 1));
    mock.finish(0, 8, 1);
    assert_eq!((drops.count(), ctx.in_flight()), (1, 0));
}

#[test]
fn memory_that_a_backend_still_has_at_its_end_is_leaked() {
    let (ctx, mock) = open(1);
    let (buf, drops) = Tracked::new(8);
    drop(ctx.read_into(buf, &file(), 0).submit());
    let kept = mock.take(0);
    drop((ctx, mock));
    assert_eq!(drops.count(), 0);
    drop(kept);
}

/// A waker that panics, with a payload that panics when it is dropped.
struct Rude;

impl Wake for Rude {
    fn wake(self: Arc<Self>) {
        std::panic::panic_any(Payload);
    }
}

/// A payload that panics when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("a payload that panics");
    }
}

#[test]
fn wakers_that_panic_stop_nobody_else() {
    let (ctx, mock) = open(1);
    let fd = file();
    let rude = Waker::from(Arc::new(Rude));
    let mut sync = ctx.fsync(&fd);
    while std::pin::Pin::new(&mut sync).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        let arms = mock.seen().arms;
        if arms != 0 {
            break;
        }
    }
    assert!(std::pin::Pin::new(&mut sync).poll(&mut Context::from_waker(&rude)).is_pending());
    let (mut first, mut second) = (pin!(ctx.close()), pin!(ctx.close()));
    assert!(first.as_mut().poll(&mut Context::from_waker(&rude)).is_pending());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    mock.finish(0, 0, 0);
    assert_eq!(bell.rings(), 1, "the other close is told");
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_ready(sync).unwrap();
}

/// A waker that runs something at once, as an executor does that polls inside `wake`.
struct Inline<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Inline<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn a_waker_of_a_close_may_use_the_context_at_once() {
    let (ctx, mock) = open(1);
    let sync = ctx.fsync(&file()).submit();
    let other = ctx.clone();
    let bell = Arc::new(Bell::default());
    let rung = Arc::clone(&bell);
    let inline = Waker::from(Arc::new(Inline(move || {
        assert!(pin!(other.close()).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(other.in_flight(), 0);
        Arc::clone(&rung).wake();
    })));
    let mut close = pin!(ctx.close());
    assert!(close.as_mut().poll(&mut Context::from_waker(&inline)).is_pending());
    mock.finish(0, 0, 0);
    assert_eq!(bell.rings(), 1);
    assert_ready(sync).unwrap();
}

#[test]
fn a_dropped_close_leaves_no_waker() {
    let (ctx, mock) = open(1);
    let sync = ctx.fsync(&file()).submit();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    {
        let mut close = pin!(ctx.close());
        assert!(close.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1);
    mock.finish(0, 0, 0);
    assert_ready(sync).unwrap();
}

#[test]
fn a_cancel_that_comes_while_a_backend_submits_again_is_repeated() {
    let (ctx, mock) = open(1);
    let read = ctx.read_into(Vec::with_capacity(8), &file(), 0).submit();
    let key = mock.take(0).into_key();
    let mut cancel = None;
    let mut again = None;
    let mut read = Some(read);
    let submit = |request| {
        // The backend has nothing that it could cancel now.
        let mut asked = read.take().unwrap().cancel();
        assert_pending(&mut asked);
        mock.seen().cancels.clear();
        cancel = Some(asked);
        again = Some(request);
        Ok(Submitted::Alone)
    };
    // SAFETY: the request was given up, and no kernel has its memory.
    assert!(!unsafe { mock.completer().reissue(key, submit) });
    assert_eq!(mock.seen().cancels, [key]);
    mock.completer().deliver(again.unwrap().cancelled());
    assert_ready(cancel.unwrap());
}

#[test]
fn the_time_of_a_batch_begins_when_it_is_submitted() {
    let (ctx, mock) = open(1);
    let fd = file();
    let mut batch = ctx.batch();
    let limited = batch.read_into(Vec::with_capacity(8), &fd, 0).timeout(Duration::from_millis(5));
    batch.submit().unwrap();
    until("its time is up although nobody has polled it", || !mock.seen().cancels.is_empty());
    mock.end_cancelled(0);
    assert_eq!(assert_ready(limited).0.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_level_that_no_class_has_fails_a_staged_operation_too() {
    let (ctx, _mock) = open(1);
    let mut batch = ctx.batch();
    let bad = batch.fsync(&file()).priority(caio_core::IoPriority::BestEffort(8));
    batch.submit().unwrap();
    assert_eq!(assert_ready(bad).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
#[cfg(unix)]
fn what_waits_for_a_stream_holds_up_no_file_and_no_writer() -> io::Result<()> {
    let (ctx, mock) = open(1);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let [ours, theirs]: [caio_core::SharedFd; 2] =
        [std::os::fd::OwnedFd::from(ours).into(), std::os::fd::OwnedFd::from(theirs).into()];
    let idle: Vec<_> = (0..3).map(|_| ctx.read(8, &ours, NO_OFFSET).submit()).collect();
    let sync = ctx.fsync(&file()).submit();
    let feed = ctx.write(b"data", &theirs, NO_OFFSET).submit();
    assert_eq!((mock.count(), ctx.queued()), (3, 2), "one read, the sync, and the write");
    mock.finish(1, 0, 0);
    mock.finish(1, 4, 0);
    assert_ready(sync)?;
    assert_eq!(assert_ready(feed).0?, 4);
    drop(idle);
    while mock.count() != 0 {
        mock.end_cancelled(0);
    }
    Ok(())
}
