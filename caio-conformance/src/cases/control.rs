//! When operations start, and how they end early.

use super::cases;
use crate::fixture::{Fixture, skip};
use crate::kit::{Alarm, assert_kind, block_on, join, join_all, pattern, poll_once, until};
use crate::meter::Timed;
use caio_core::{IoPriority, Outcome};
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

cases!("control":
    lazy, submit_starts, submitted_twice, cancel_of_a_lazy_operation, cancel_of_a_completed_operation,
    cancel_tells_the_truth, timeout_of_a_completed_operation, long_timeout, no_time_at_all, priorities, bad_priority,
    batch_results, batch_starts_together, batch_dropped, batch_operation_before_submit, batch_operation_dropped,
    batch_operation_cancelled, batch_of_nothing, batch_beyond_the_bound, latest_waker_is_woken,
);

/// Nothing happens before the first poll.
fn lazy(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("lazy", b"before");
    let write = ctx.write(b"after!", &fd, 0);
    assert_eq!((ctx.in_flight(), ctx.stats().submitted), (0, 0));
    drop(write);
    assert_eq!(block_on(ctx.read(16, &fd, 0)).unwrap(), b"before");
    assert_eq!(fixture.content("lazy"), b"before");
}

/// A submitted operation is carried out although nobody polls it.
fn submit_starts(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("started", b"");
    let write = ctx.write(b"started", &fd, 0).submit();
    until("the file has what was written", || fixture.content("started") == b"started");
    let (written, buf) = block_on(write);
    assert_eq!((written.unwrap(), buf), (7, b"started"));
}

/// Submitting again changes nothing.
fn submitted_twice(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("twice", b"data");
    let read = ctx.read(8, &fd, 0).submit().submit().submit();
    assert_eq!(block_on(read).unwrap(), b"data");
    assert_eq!(ctx.stats().submitted, 1);
}

/// What has not started is cancelled, and never starts.
fn cancel_of_a_lazy_operation(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("never", b"data");
    let Outcome::Cancelled(buf) = block_on(ctx.write(b"never".to_vec(), &fd, 0).cancel()) else {
        panic!("it had not started");
    };
    assert_eq!(buf, b"never");
    assert!(matches!(block_on(ctx.fsync(&fd).cancel()), Outcome::Cancelled(())));
    assert_eq!(fixture.content("never"), b"data");
}

/// What has ended tells its result, not that it was cancelled.
fn cancel_of_a_completed_operation(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("ended", b"");
    let write = ctx.write(b"ended", &fd, 0).submit();
    until("the write has ended", || {
        // Another operation takes the completions that are there.
        block_on(ctx.fsync(&fd)).unwrap();
        ctx.stats().bytes_written == 5
    });
    match block_on(write.cancel()) {
        Outcome::Completed(Ok(5), b"ended") => {}
        other => panic!("it had written: {other:?}"),
    }
}

/// Whatever comes of a cancel, the file agrees with it.
fn cancel_tells_the_truth(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("truth", &[0; 64]);
    let writes: Vec<_> = (0..64).map(|index| ctx.write(vec![0xff], &fd, index).submit()).collect();
    let cancels = writes.into_iter().map(Timed::cancel).collect();
    let outcomes = block_on(join_all(cancels));
    let content = fixture.content("truth");
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Outcome::Cancelled(buf) => assert_eq!((buf[0], content[index]), (0xff, 0), "nothing was written"),
            Outcome::Completed(written, _) => assert_eq!((written.unwrap(), content[index]), (1, 0xff)),
        }
    }
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// An operation that ends in time gives its result.
fn timeout_of_a_completed_operation(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("in-time", b"data");
    for _ in 0..20 {
        assert_eq!(block_on(ctx.read(8, &fd, 0).timeout(Duration::from_secs(60))).unwrap(), b"data");
        assert_eq!(block_on(ctx.write(b"data", &fd, 0).timeout(Duration::from_secs(60))).0.unwrap(), 4);
    }
}

/// A time that never comes is no time limit.
fn long_timeout(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("patient", b"data");
    assert_eq!(block_on(ctx.read(8, &fd, 0).timeout(Duration::MAX)).unwrap(), b"data");
}

/// With no time at all an operation ends in one of two ways, and the file agrees with it.
fn no_time_at_all(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("hurry", &[0; 64]);
    for index in 0..64 {
        let (written, buf) = block_on(ctx.write(vec![0xff], &fd, index).timeout(Duration::ZERO));
        let byte = fixture.content("hurry")[index as usize];
        assert_eq!(buf, [0xff]);
        match written {
            Ok(written) => assert_eq!((written, byte), (1, 0xff)),
            Err(error) => assert_eq!((error.kind(), byte), (ErrorKind::TimedOut, 0), "{error}"),
        }
    }
}

/// Every priority of the usual classes is taken.
fn priorities(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("urgent", b"data");
    for level in 0..8 {
        let read = ctx.read(8, &fd, 0).priority(IoPriority::BestEffort(level));
        assert_eq!(block_on(read).unwrap(), b"data");
        let write = ctx.write(b"data", &fd, 0).priority(IoPriority::BestEffort(level));
        assert_eq!(block_on(write).0.unwrap(), 4);
    }
    let idle = ctx.fsync(&fd).priority(IoPriority::Idle).submit();
    block_on(idle).unwrap();
}

/// A level that does not exist is refused.
fn bad_priority(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("too-urgent", b"data");
    let read = ctx.read(8, &fd, 0).priority(IoPriority::BestEffort(8));
    assert_kind("level 8", block_on(read), ErrorKind::InvalidInput);
    let (written, buf) = block_on(ctx.write(b"no", &fd, 0).priority(IoPriority::RealTime(255)));
    assert_kind("level 255", written, ErrorKind::InvalidInput);
    assert_eq!((buf, fixture.content("too-urgent")), (b"no", b"data".to_vec()));
    let mut batch = ctx.batch();
    let batched = batch.read(8, &fd, 0).priority(IoPriority::BestEffort(8));
    batch.submit().unwrap();
    assert_kind("in a batch", block_on(batched), ErrorKind::InvalidInput);
}

/// Each operation of a batch has its own result.
fn batch_results(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("batch", b"0123456789");
    let mut batch = ctx.batch();
    let read = batch.read(4, &fd, 0);
    let read_into = batch.read_into(Vec::with_capacity(3), &fd, 4);
    let write = batch.write(b"x", &fd, 4096);
    let writev = batch.writev(vec![b"y", b"z"], &fd, 5000);
    let readv = batch.readv(vec![vec![0; 2]], &fd, 7);
    let sync = batch.fdsync(&fd);
    let refused = batch.read(1, &fd, u64::MAX - 1);
    assert_eq!(batch.len(), 6, "what is refused at once is not in it");
    batch.submit().unwrap();
    assert_eq!(block_on(read).unwrap(), b"0123");
    let (got, buf) = block_on(read_into);
    assert_eq!((got.unwrap(), buf.as_slice()), (3, &b"456"[..]));
    let ((written, _), (writtenv, _)) = block_on(join(write, writev));
    assert_eq!((written.unwrap(), writtenv.unwrap()), (1, 2));
    assert_eq!(block_on(readv).1, [b"78"]);
    block_on(sync).unwrap();
    assert_kind("the refused one", block_on(refused), ErrorKind::InvalidInput);
    let content = fixture.content("batch");
    assert_eq!((content[4096], &content[5000..]), (b'x', &b"yz"[..]));
}

/// A submitted batch is carried out although nobody polls.
fn batch_starts_together(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("together", b"");
    let mut batch = ctx.batch();
    let writes: Vec<_> = (0..50).map(|index| batch.write(vec![1; 10], &fd, index * 10)).collect();
    assert_eq!(fixture.content("together"), b"", "nothing before its submission");
    batch.submit().unwrap();
    until("all is written", || fixture.content("together") == [1; 500]);
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.unwrap(), 10);
    }
}

/// What nobody submitted never happens.
fn batch_dropped(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("dropped", b"data");
    let mut batch = ctx.batch();
    let write = batch.write(b"never", &fd, 0);
    drop(batch);
    drop(write);
    assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"data");
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// An operation that is awaited before its batch is submitted starts by itself, and only once.
fn batch_operation_before_submit(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("early", b"");
    let mut batch = ctx.batch();
    let early = batch.write(b"early", &fd, 0);
    let late = batch.write(b"late", &fd, 5);
    assert_eq!(block_on(early).0.unwrap(), 5);
    assert_eq!(fixture.content("early"), b"early");
    let more = batch.write(b"more", &fd, 9);
    batch.submit().unwrap();
    let ((late, _), (more, _)) = block_on(join(late, more));
    assert_eq!((late.unwrap(), more.unwrap()), (4, 4));
    assert_eq!(fixture.content("early"), b"earlylatemore");
    assert_eq!(ctx.stats().bytes_written, 13);
}

/// An operation that is dropped before its batch is submitted never starts; the others do.
fn batch_operation_dropped(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("one-less", b"....");
    let mut batch = ctx.batch();
    let gone = batch.write(b"a", &fd, 0);
    let stays = batch.write(b"b", &fd, 1);
    drop(gone);
    batch.submit().unwrap();
    assert_eq!(block_on(stays).0.unwrap(), 1);
    assert_eq!(fixture.content("one-less"), b".b..");
}

/// An operation that is cancelled before its batch is submitted never starts.
fn batch_operation_cancelled(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("cancelled", b"....");
    let mut batch = ctx.batch();
    let gone = batch.write(b"a", &fd, 0);
    let stays = batch.write(b"b", &fd, 1);
    assert!(matches!(block_on(gone.cancel()), Outcome::Cancelled(b"a")));
    batch.submit().unwrap();
    assert_eq!(block_on(stays).0.unwrap(), 1);
    assert_eq!(fixture.content("cancelled"), b".b..");
}

/// A batch without operations does nothing.
fn batch_of_nothing(fixture: &Fixture) {
    let ctx = fixture.context();
    let batch = ctx.batch();
    assert!(batch.is_empty());
    batch.submit().unwrap();
    assert_eq!(ctx.stats().submitted, 0);
}

/// A batch may be larger than the bound; the rest follows by itself.
fn batch_beyond_the_bound(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("beyond", b"");
    let data = pattern(400);
    let mut batch = ctx.batch();
    let writes: Vec<_> =
        data.chunks(4).enumerate().map(|(index, part)| batch.write(part.to_vec(), &fd, index as u64 * 4)).collect();
    batch.submit().unwrap();
    until("all is written, although nobody polls", || fixture.content("beyond") == data);
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.unwrap(), 4);
    }
}

/// The waker of the latest poll is woken, whoever polled before.
fn latest_waker_is_woken(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("wakers", &pattern(100_000));
    for round in 0..50 {
        let mut sync = ctx.fsync(&fd);
        if poll_once(&mut sync).is_ready() {
            skip("a sync ends at once here");
        }
        let mut polls = 0;
        loop {
            // A waker of its own at each poll; only the latest may be waited for.
            let alarm = Alarm::new();
            let waker = Waker::from(std::sync::Arc::clone(&alarm));
            match Pin::new(&mut sync).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => break result.unwrap(),
                Poll::Pending => until("the latest waker is woken", || alarm.wakes() != 0),
            }
            polls += 1;
            assert!(polls < 1_000_000, "round {round}");
        }
    }
}
