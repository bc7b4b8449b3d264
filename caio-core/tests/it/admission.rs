//! Who runs, who waits, and in which order.

use crate::mock::{assert_pending, assert_ready, file, open};
use caio_conformance::kit::until;
use caio_core::{MAX_BATCH, Outcome};
use futures::executor::block_on;
use std::io::ErrorKind;

#[test]
fn first_come_first_served() {
    let (ctx, mock) = open(2);
    let fd = file();
    let mut reads: Vec<_> = (0..7).map(|index| ctx.read(4, &fd, index).submit()).collect();
    assert_eq!((mock.out(), ctx.in_flight(), ctx.queued()), (vec![0, 1], 2, 5));
    mock.finish(1, 1, 11);
    assert_eq!(mock.out(), [0, 2]);
    mock.finish(0, 1, 10);
    mock.finish(0, 1, 12);
    assert_eq!(mock.out(), [3, 4]);
    // One that waits is dropped, and its turn is passed over.
    drop(reads.remove(5));
    mock.finish(0, 1, 13);
    assert_eq!((mock.out(), ctx.queued()), (vec![4, 6], 0));
    mock.finish(1, 1, 16);
    mock.finish(0, 1, 14);
    let results: Vec<u8> = reads.into_iter().map(|read| assert_ready(read).unwrap()[0]).collect();
    assert_eq!(results, [10, 11, 12, 13, 14, 16]);
    assert_eq!((mock.seen().peak, ctx.in_flight()), (2, 0));
}

#[test]
fn newcomers_do_not_overtake_those_who_wait() {
    let (ctx, mock) = open(1);
    let fd = file();
    let first = ctx.read(4, &fd, 0).submit();
    let second = ctx.read(4, &fd, 1).submit();
    mock.finish(0, 0, 0);
    let third = ctx.read(4, &fd, 2).submit();
    assert_eq!(mock.out(), [1]);
    mock.finish(0, 0, 0);
    assert_eq!(mock.out(), [2]);
    mock.finish(0, 0, 0);
    for read in [first, second, third] {
        assert_eq!(assert_ready(read).unwrap(), b"");
    }
}

#[test]
fn a_bound_that_the_backend_lowers_is_the_bound() {
    use crate::mock::Mock;
    use caio_core::{BackendKind, Context, Opened, Settings};
    use std::sync::Arc;
    let mut mock = None;
    let open = |_: &Settings, completer| {
        let backend = Arc::new(Mock::new(completer));
        mock = Some(Arc::clone(&backend));
        Ok(Opened { backend, kind: BackendKind::Aio, max_requests: 3, driver: None })
    };
    let (ctx, _) = Context::open(&Settings::default(), BackendKind::Aio, open).unwrap();
    let (mock, fd) = (mock.unwrap(), file());
    let reads: Vec<_> = (0..5).map(|index| ctx.read(4, &fd, index).submit()).collect();
    assert_eq!((ctx.max_requests(), mock.count(), ctx.queued()), (3, 3, 2));
    drop(reads);
    while mock.count() != 0 {
        mock.end_cancelled(0);
    }
}

#[test]
fn a_batch_beyond_the_bound_waits_in_order() {
    let (ctx, mock) = open(3);
    let fd = file();
    let mut batch = ctx.batch();
    let reads: Vec<_> = (0..8).map(|index| batch.read(4, &fd, index)).collect();
    assert_eq!((batch.len(), mock.count()), (8, 0));
    let flushes = mock.seen().flushes;
    batch.submit().unwrap();
    assert_eq!((mock.out(), ctx.queued()), (vec![0, 1, 2], 5));
    assert_eq!(mock.seen().flushes, flushes + 1, "one submission for all");
    assert!(mock.seen().arms > 0, "those that wait must start although nobody polls");
    for _ in 0..8 {
        mock.finish(0, 1, 7);
    }
    assert!(reads.into_iter().all(|read| assert_ready(read).unwrap() == [7]));
    assert_eq!(mock.seen().peak, 3);
}

#[test]
fn a_batch_has_an_end() {
    let (ctx, _mock) = open(1);
    let fd = file();
    let mut batch = ctx.batch();
    let mut reads: Vec<_> = (0..=MAX_BATCH as u64).map(|index| batch.read(4, &fd, index)).collect();
    assert_eq!(batch.len(), MAX_BATCH);
    assert_eq!(assert_ready(reads.pop().unwrap()).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn those_that_wait_can_be_cancelled_and_never_run() {
    let (ctx, mock) = open(1);
    let fd = file();
    let first = ctx.read(4, &fd, 0).submit();
    let waits = ctx.write(b"never".to_vec(), &fd, 1).submit();
    assert!(matches!(assert_ready(waits.cancel()), Outcome::Cancelled(buf) if buf == b"never"));
    assert_eq!((ctx.queued(), mock.seen().cancels.len()), (0, 0));
    mock.finish(0, 0, 0);
    assert_eq!(mock.out(), []);
    assert_ready(first).unwrap();
}

#[test]
fn those_that_wait_can_time_out() {
    let (ctx, mock) = open(1);
    let fd = file();
    let first = ctx.read(4, &fd, 0).submit();
    let waits = ctx.write(b"late".to_vec(), &fd, 1).timeout(std::time::Duration::from_millis(5));
    let (written, buf) = block_on(waits);
    assert_eq!((written.unwrap_err().kind(), buf), (ErrorKind::TimedOut, b"late".to_vec()));
    assert_eq!((ctx.queued(), mock.out()), (0, vec![0]));
    mock.finish(0, 0, 0);
    assert_ready(first).unwrap();
}

#[test]
fn what_ends_at_once_makes_room_without_recursion() {
    let (ctx, mock) = open(1);
    let fd = file();
    let mut reads: Vec<_> = (0..100_000).map(|index| ctx.read(4, &fd, index).submit()).collect();
    mock.seen().ends_at_once = true;
    mock.finish(0, 0, 0);
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
    assert!(reads.drain(..).all(|read| assert_ready(read).unwrap().is_empty()));
    assert_eq!(assert_ready(ctx.read(4, &fd, 0)).unwrap(), b"");
}

#[test]
fn a_dropped_one_keeps_its_room_until_the_backend_is_done() {
    let (ctx, mock) = open(1);
    let fd = file();
    let mut running = ctx.read(4, &fd, 0);
    assert_pending(&mut running);
    let next = ctx.read(4, &fd, 1).submit();
    drop(running);
    assert_eq!((mock.out(), ctx.in_flight(), ctx.queued()), (vec![0], 1, 1));
    assert_eq!(mock.seen().cancels.len(), 1, "a read that nobody will miss is cancelled");
    mock.end_cancelled(0);
    assert_eq!((mock.out(), ctx.in_flight(), ctx.queued()), (vec![1], 1, 0));
    mock.finish(0, 2, 9);
    assert_eq!(assert_ready(next).unwrap(), [9, 9]);
}

#[test]
fn a_dropped_write_is_not_cancelled() {
    let (ctx, mock) = open(1);
    let fd = file();
    drop(ctx.write(b"data", &fd, 0).submit());
    assert_eq!((mock.count(), mock.seen().cancels.len()), (1, 0));
    mock.finish(0, 4, 0);
    assert_eq!((ctx.in_flight(), ctx.stats().bytes_written), (0, 4));
}

#[test]
fn a_close_waits_for_all_and_shuts_down() {
    let (ctx, mock) = open(1);
    let fd = file();
    let reads: Vec<_> = (0..3).map(|index| ctx.read(4, &fd, index).submit()).collect();
    let (closing, arms) = (ctx.clone(), mock.seen().arms);
    let close = std::thread::spawn(move || block_on(closing.close()));
    until("the close waits", || mock.seen().arms > arms);
    for _ in 0..3 {
        assert!(!close.is_finished());
        mock.finish(0, 0, 0);
    }
    close.join().unwrap();
    assert_eq!(mock.seen().shutdowns, 1);
    assert!(reads.into_iter().all(|read| assert_ready(read).is_ok()));
    assert!(assert_ready(ctx.read(4, &fd, 0)).is_err());
}

#[test]
fn what_was_staged_before_a_close_never_starts() {
    let (ctx, mock) = open(2);
    let fd = file();
    let mut batch = ctx.batch();
    let (awaited, submitted) = (batch.read(4, &fd, 0), batch.read(4, &fd, 1));
    block_on(ctx.close());
    assert!(assert_ready(awaited).is_err());
    assert!(batch.submit().is_err());
    assert!(assert_ready(submitted.submit()).is_err());
    assert_eq!((mock.seen().peak, ctx.in_flight()), (0, 0));
}
