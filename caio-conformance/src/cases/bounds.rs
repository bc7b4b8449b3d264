//! The bound on operations in flight.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{block_on, join_all, pattern, until};
use caio_core::Settings;
use std::io::ErrorKind;

cases!("bounds":
    none_is_refused, too_many_are_refused, no_thread_is_refused, too_many_threads_are_refused, the_bound_is_told, ten_times_as_many, one_at_a_time, never_exceeded,
    submitted_operations_do_not_block, room_comes_back_after_drops, queue_moves_when_nobody_polls,
    waiting_operations_can_be_dropped,
);

/// Settings with this bound.
fn with_bound(max_requests: usize) -> Settings {
    let mut settings = Settings::default();
    settings.max_requests = max_requests;
    settings
}

/// A bound of 0 is refused.
fn none_is_refused(fixture: &Fixture) {
    let error = fixture.open(&with_bound(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

/// So is one beyond the largest.
fn too_many_are_refused(fixture: &Fixture) {
    let error = fixture.open(&with_bound(caio_core::MAX_REQUESTS_LIMIT + 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

/// Settings with a pool of this size.
fn with_pool(threads: usize) -> Settings {
    let mut settings = Settings::default();
    settings.pool_size = Some(threads);
    settings
}

/// A pool of no threads is refused by every backend.
fn no_thread_is_refused(fixture: &Fixture) {
    let error = fixture.open(&with_pool(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

/// So is one of more than a system can have.
fn too_many_threads_are_refused(fixture: &Fixture) {
    for threads in [1025, usize::MAX] {
        let error = fixture.open(&with_pool(threads)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{threads} threads: {error}");
    }
    let ctx = fixture.open(&with_pool(1024)).unwrap();
    let fd = fixture.file("pool", b"data");
    block_on(ctx.fsync(&fd)).unwrap();
}

/// A context tells its bound, which is what was asked for or less.
fn the_bound_is_told(fixture: &Fixture) {
    for asked in [1, 7, 64] {
        assert!((1..=asked).contains(&fixture.bounded(asked).max_requests()));
    }
    assert_eq!((fixture.context().in_flight(), fixture.context().queued()), (0, 0));
}

/// Ten times as many operations as there is room for all complete.
fn ten_times_as_many(fixture: &Fixture) {
    let ctx = fixture.bounded(8);
    let fd = fixture.file("ten", b"");
    let data = pattern(80 * 100);
    let writes =
        data.chunks(100).enumerate().map(|(index, part)| ctx.write(part.to_vec(), &fd, index as u64 * 100).submit());
    for (written, _) in block_on(join_all(writes.collect())) {
        assert_eq!(written.unwrap(), 100);
    }
    assert!(fixture.content("ten") == data);
}

/// With room for one, a hundred at once complete one after the other.
fn one_at_a_time(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let fd = fixture.file("one", &pattern(1000));
    let syncs = (0..100).map(|_| ctx.fsync(&fd)).collect();
    block_on(join_all(syncs)).into_iter().for_each(Result::unwrap);
    let reads = (0..100).map(|index| ctx.read(10, &fd, index * 10)).collect();
    let read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(Result::unwrap).collect();
    assert!(read == pattern(1000));
}

/// There are never more in flight than there is room for.
fn never_exceeded(fixture: &Fixture) {
    let ctx = fixture.bounded(3);
    let bound = ctx.max_requests();
    let fd = fixture.file("bound", b"");
    let syncs: Vec<_> = (0..60).map(|_| ctx.fsync(&fd).submit()).collect();
    let mut pending = syncs.into_iter();
    until("all have ended", || {
        let in_flight = ctx.in_flight();
        assert!(in_flight <= bound, "{in_flight} in flight where {bound} may be");
        match pending.next() {
            Some(sync) => {
                block_on(sync).unwrap();
                false
            }
            None => true,
        }
    });
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// Operations that were submitted and are not polled hold up no others.
fn submitted_operations_do_not_block(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let fd = fixture.file("unpolled", b"");
    let first = ctx.write(b"a", &fd, 0).submit();
    let second = ctx.write(b"b", &fd, 1).submit();
    let third = ctx.write(b"c", &fd, 2).submit();
    assert_eq!(block_on(third).0.unwrap(), 1);
    assert_eq!(block_on(second).0.unwrap(), 1);
    assert_eq!(block_on(first).0.unwrap(), 1);
    assert_eq!(fixture.content("unpolled"), b"abc");
}

/// Operations that are dropped in flight give their room back.
fn room_comes_back_after_drops(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("dropped", &pattern(10_000));
    for round in 0..20 {
        for index in 0..8 {
            drop(ctx.write(vec![0; 100], &fd, index * 100).submit());
            drop(ctx.read(100, &fd, index * 100).submit());
            drop(ctx.fsync(&fd).submit());
        }
        assert_eq!(block_on(ctx.write(vec![round], &fd, 20_000)).0.unwrap(), 1);
        assert_eq!(block_on(ctx.read(1, &fd, 20_000)).unwrap(), [round]);
    }
    until("all room is given back", || ctx.in_flight() == 0 && ctx.queued() == 0);
}

/// Operations that wait for room start by themselves when there is some.
fn queue_moves_when_nobody_polls(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let fd = fixture.file("queue", b"");
    let writes: Vec<_> = (0..30).map(|index| ctx.write(vec![9; 10], &fd, index * 10).submit()).collect();
    until("all is written", || fixture.content("queue") == [9; 300]);
    until("the queue is empty", || ctx.queued() == 0);
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.unwrap(), 10);
    }
}

/// Operations that wait for room can be dropped, the others follow.
fn waiting_operations_can_be_dropped(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let fd = fixture.file("some", b"");
    let syncs: Vec<_> = (0..200).map(|_| ctx.fsync(&fd).submit()).collect();
    let mut kept = Vec::new();
    for (index, sync) in syncs.into_iter().enumerate() {
        if index % 10 == 0 {
            kept.push(sync);
        }
    }
    block_on(join_all(kept)).into_iter().for_each(Result::unwrap);
    until("nothing is left", || ctx.in_flight() == 0 && ctx.queued() == 0);
}
