//! How operations end, and who hears of it.

use crate::mock::{Bell, assert_pending, assert_ready, file, open, poll};
use crate::tracked::Tracked;
use caio_conformance::kit::until;
use caio_core::{Completion, IoPriority, Key, NO_OFFSET, Op, Outcome, Submitted};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

#[test]
fn a_stale_completion_reaches_nobody() {
    let (ctx, mock) = open(1);
    let fd = file();
    let first = ctx.read(8, &fd, 0).submit();
    let stale = mock.seen().out[0].key();
    mock.finish(0, 2, 1);
    assert_eq!(assert_ready(first).unwrap(), [1, 1]);
    // The next operation has the place of the first, and another generation.
    let mut second = ctx.read(8, &fd, 1).submit();
    assert_ne!(mock.seen().out[0].key(), stale);
    for key in [stale, Key::from_u64(u64::MAX), Key::from_u64(0)] {
        // SAFETY: the key names no operation, whose memory there could be.
        unsafe { mock.completer().complete(key, Completion::Done(Ok(8))) };
        // SAFETY: as above.
        assert!(unsafe { mock.completer().reissue(key, |_| unreachable!("nobody has it")) });
    }
    assert_pending(&mut second);
    assert_eq!((ctx.in_flight(), ctx.stats().completed), (1, 1));
    mock.finish(0, 3, 2);
    assert_eq!(assert_ready(second).unwrap(), [2, 2, 2]);
}

#[test]
fn a_request_can_be_had_again() {
    let (ctx, mock) = open(1);
    let fd = file();
    let read = ctx.read(8, &fd, 5).priority(IoPriority::BestEffort(3)).submit();
    let key = mock.take(0).into_key();
    let mut again = None;
    let submit = |request| {
        again = Some(request);
        Ok(Submitted::Alone)
    };
    // SAFETY: the request was given up, and no kernel has its memory.
    assert!(!unsafe { mock.completer().reissue(key, submit) });
    let again = again.unwrap();
    assert_eq!((again.key(), again.priority(), again.reissues()), (key, Some(IoPriority::BestEffort(3)), 1));
    assert!(matches!(again.op(), Op::Read { region, offset: 5 } if region.len() == 8) && again.fd().is_same(&fd));
    mock.completer().deliver(again.finish(Ok(0)));
    assert_eq!(assert_ready(read).unwrap(), b"");
}

#[test]
fn a_cancel_asks_the_backend_and_tells_what_came_of_it() {
    let (ctx, mock) = open(2);
    let fd = file();
    for cancelled in [true, false] {
        let mut read = ctx.read_into(Vec::with_capacity(8), &fd, 0);
        assert_pending(&mut read);
        let key = mock.seen().out[0].key();
        assert!(!mock.completer().is_cancel_asked(key));
        let mut cancel = read.cancel();
        assert_pending(&mut cancel);
        assert_eq!(mock.seen().cancels.pop(), Some(key));
        assert!(mock.completer().is_cancel_asked(key));
        if cancelled {
            mock.end_cancelled(0);
            assert!(matches!(assert_ready(cancel), Outcome::Cancelled(buf) if buf.capacity() == 8));
        } else {
            mock.finish(0, 3, 5);
            assert!(matches!(assert_ready(cancel), Outcome::Completed(Ok(3), buf) if buf == [5; 3]));
        }
        assert!(mock.completer().is_cancel_asked(key), "a key that has gone needs nothing more");
    }
}

#[test]
fn a_read_of_its_own_times_out_although_the_backend_is_not_done() {
    let (ctx, mock) = open(1);
    let fd = file();
    let read = ctx.read(8, &fd, 0).timeout(Duration::from_millis(5));
    assert_eq!(futures::executor::block_on(read).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!((mock.count(), ctx.in_flight()), (1, 1), "its memory stays");
    assert!(!mock.seen().cancels.is_empty());
    mock.finish(0, 8, 1);
    assert_eq!(ctx.in_flight(), 0);
}

#[test]
fn a_buffer_of_the_caller_comes_back_when_the_backend_is_done() {
    let (ctx, mock) = open(1);
    let fd = file();
    let mut read = ctx.read_into(Vec::with_capacity(8), &fd, 0).timeout(Duration::from_millis(5));
    assert_pending(&mut read);
    until("the backend is asked", || !mock.seen().cancels.is_empty());
    assert_pending(&mut read);
    mock.end_cancelled(0);
    let (result, buf) = assert_ready(read);
    assert_eq!((result.unwrap_err().kind(), buf.capacity()), (ErrorKind::TimedOut, 8));
}

#[test]
fn a_time_limit_that_comes_after_the_start_counts_too() {
    let (ctx, mock) = open(1);
    let fd = file();
    let read = ctx.read(8, &fd, 0).submit().timeout(Duration::from_millis(5));
    assert_eq!(futures::executor::block_on(read).unwrap_err().kind(), ErrorKind::TimedOut);
    mock.end_cancelled(0);
}

#[test]
fn an_error_reaches_its_operation_and_no_other() {
    let (ctx, mock) = open(4);
    let fd = file();
    let reads: Vec<_> = (0..3).map(|index| ctx.read(8, &fd, index).submit()).collect();
    mock.fail(1, io::Error::from_raw_os_error(28));
    mock.finish(1, 1, 2);
    mock.finish(0, 1, 0);
    let results: Vec<_> = reads.into_iter().map(assert_ready).collect();
    assert_eq!(results[0].as_deref().unwrap(), [0]);
    assert_eq!(results[1].as_ref().unwrap_err().raw_os_error(), Some(28));
    assert_eq!(results[2].as_deref().unwrap(), [2]);
}

#[test]
fn what_ends_inline_never_enters_the_table() {
    let (ctx, mock) = open(1);
    mock.seen().fails_inline = true;
    let (written, buf) = assert_ready(ctx.write(b"data", &file(), 0));
    assert_eq!((written.unwrap_err().kind(), buf), (ErrorKind::StorageFull, b"data"));
    let stats = ctx.stats();
    assert_eq!((stats.submitted, stats.completed, stats.inline, mock.seen().peak), (1, 1, 1, 0));
}

#[test]
fn bad_priorities_in_a_batch_are_refused() {
    let (ctx, mock) = open(4);
    let fd = file();
    let mut batch = ctx.batch();
    let bad = batch.read(8, &fd, 0).priority(IoPriority::BestEffort(8));
    let good = batch.read(8, &fd, 1).priority(IoPriority::Idle);
    batch.submit().unwrap();
    assert_eq!(mock.out(), [1]);
    assert_eq!(mock.seen().out[0].priority(), Some(IoPriority::Idle));
    assert_eq!(assert_ready(bad).unwrap_err().kind(), ErrorKind::InvalidInput);
    mock.finish(0, 0, 0);
    assert_ready(good).unwrap();
}

#[test]
fn memory_is_freed_once_and_not_before_the_end() {
    let (ctx, mock) = open(2);
    let fd = file();
    let (buf, drops) = Tracked::new(16);
    drop(ctx.read_into(buf, &fd, 0).submit());
    assert_eq!(drops.count(), 0, "the backend has it");
    mock.finish(0, 16, 1);
    assert_eq!(drops.count(), 1);
    let (buf, drops) = Tracked::new(16);
    drop(ctx.read_into(buf, &fd, 0));
    assert_eq!(drops.count(), 1, "it had not started");
    let (buf, drops) = Tracked::new(16);
    let ended = ctx.read_into(buf, &fd, 0).submit();
    mock.finish(0, 16, 1);
    assert_eq!(drops.count(), 0, "its future has it");
    drop(ended);
    assert_eq!(drops.count(), 1);
    let (buf, drops) = Tracked::new(16);
    std::mem::forget(ctx.read_into(buf, &fd, 0).submit());
    mock.finish(0, 16, 1);
    assert_eq!((drops.count(), ctx.in_flight()), (0, 0), "a leak, and no more than that");
}

#[test]
fn the_latest_waker_alone_is_woken() {
    let (ctx, mock) = open(1);
    let mut sync = ctx.fsync(&file());
    let (old, new) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    assert!(poll(&mut sync, &old).is_pending());
    assert!(poll(&mut sync, &new).is_pending());
    let before = (old.rings(), new.rings());
    mock.finish(0, 0, 0);
    assert_eq!((old.rings(), new.rings()), (before.0, before.1 + 1));
    assert_ready(sync).unwrap();
}

#[test]
fn a_waker_that_panics_stops_nobody() {
    struct Bomb(std::thread::ThreadId);
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            if std::thread::current().id() != self.0 {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        }
    }
    let (ctx, mock) = open(1);
    let fd = file();
    let waker = Waker::from(Arc::new(Bomb(std::thread::current().id())));
    let mut bombed = ctx.fsync(&fd);
    let pinned = std::pin::Pin::new(&mut bombed);
    assert!(std::future::Future::poll(pinned, &mut std::task::Context::from_waker(&waker)).is_pending());
    let next = ctx.fsync(&fd).submit();
    let other = Arc::clone(&mock);
    std::thread::spawn(move || other.finish(0, 0, 0)).join().expect("the panic goes no further");
    assert_eq!(mock.count(), 1, "the next one has the room");
    mock.finish(0, 0, 0);
    assert_ready(bombed).unwrap();
    assert_ready(next).unwrap();
}

#[test]
fn a_future_that_comes_to_rest_arms_the_backend() {
    let (ctx, mock) = open(1);
    let mut sync = ctx.fsync(&file());
    let bell = Arc::new(Bell::default());
    until("it comes to rest", || {
        let before = bell.rings();
        assert!(poll(&mut sync, &bell).is_pending());
        bell.rings() == before
    });
    assert_eq!(mock.seen().arms, 1);
    mock.finish(0, 0, 0);
    assert_ready(sync).unwrap();
}

#[test]
fn the_last_handle_shuts_the_backend_down() {
    let (ctx, mock) = open(1);
    let fd = file();
    let other = ctx.clone();
    let lazy = ctx.read(8, &fd, 0);
    drop(ctx);
    drop(other);
    assert_eq!(mock.seen().shutdowns, 0, "an operation is a handle too");
    drop(lazy);
    assert_eq!(mock.seen().shutdowns, 1);
    let weak = Arc::downgrade(&mock);
    drop(mock);
    assert!(weak.upgrade().is_none(), "nobody keeps the backend");
}

#[test]
fn what_runs_when_the_context_goes_is_named_for_the_backend() {
    let (ctx, mock) = open(4);
    let fd = file();
    let (buf, drops) = Tracked::new(16);
    drop((ctx.read_into(buf, &fd, 0).submit(), ctx.fsync(&fd).submit()));
    drop(ctx);
    let mut keys: Vec<_> = mock.seen().out.iter().map(|request| request.key()).collect();
    let mut running = Vec::new();
    mock.completer().running_keys(&mut running);
    keys.sort_unstable();
    running.sort_unstable();
    assert_eq!((running, mock.completer().in_flight()), (keys, 2));
    assert_eq!(drops.count(), 0);
    mock.end_cancelled(0);
    mock.end_cancelled(0);
    assert_eq!((drops.count(), mock.completer().in_flight()), (1, 0));
    assert!(fd.try_unwrap().is_ok(), "the file is let go");
}

#[test]
fn positions_are_checked_before_the_backend_is_asked() {
    let (ctx, mock) = open(1);
    let fd = file();
    let error = assert_ready(ctx.read(8, &fd, 1 << 63)).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("i64::MAX"), "{error}");
    let read = ctx.read(8, &fd, NO_OFFSET).submit();
    assert!(matches!(mock.seen().out[0].op(), Op::Read { offset: NO_OFFSET, .. }));
    mock.finish(0, 0, 0);
    assert_ready(read).unwrap();
}

#[test]
#[should_panic(expected = "9 bytes transferred where there was room for 8")]
fn a_backend_cannot_claim_more_than_was_asked_for() {
    let (ctx, mock) = open(1);
    let read = ctx.read(8, &file(), 0).submit();
    let mut request = mock.take(0);
    drop(request.view());
    std::mem::forget(read);
    drop(request.finish(Ok(9)));
}

#[test]
#[should_panic(expected = "room for 0")]
fn a_backend_cannot_claim_bytes_that_it_did_not_read() {
    let (ctx, mock) = open(1);
    std::mem::forget(ctx.read(8, &file(), 0).submit());
    drop(mock.take(0).finish(Ok(8)));
}
