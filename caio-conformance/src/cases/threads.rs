//! One context, many threads that come and go.

use super::cases;
use crate::fixture::{Fixture, open};
use crate::kit::{block_on, join_all, pattern, poll_once, until};
use crate::meter::Timed;
use caio_core::Outcome;
use std::thread;

cases!("threads":
    many_threads, many_threads_little_room, threads_that_exit, submitted_by_a_thread_that_exited, moved_between_polls,
    cancelled_elsewhere, dropped_elsewhere, batch_elsewhere, two_contexts, context_from_thread_to_thread,
);

/// Threads that share a context do not disturb each other.
fn many_threads(fixture: &Fixture) {
    let ctx = fixture.context();
    thread::scope(|scope| {
        for index in 0..8_u8 {
            let ctx = ctx.clone();
            scope.spawn(move || {
                let name = format!("thread-{index}");
                let fd = fixture.file(&name, b"");
                for round in 0..100 {
                    let data = vec![index.wrapping_mul(31).wrapping_add(round); 500];
                    let (written, data) = block_on(ctx.write(data, &fd, u64::from(round) * 500));
                    assert_eq!(written.unwrap(), 500);
                    assert_eq!(block_on(ctx.read(500, &fd, u64::from(round) * 500)).unwrap(), data);
                }
                assert_eq!(fixture.content(&name).len(), 50_000);
            });
        }
    });
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// So it is when they have to wait for each other's room.
fn many_threads_little_room(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let fd = fixture.file("shared", &vec![0; 8000]);
    thread::scope(|scope| {
        for index in 0..8_u8 {
            let (ctx, fd) = (ctx.clone(), fd.clone());
            scope.spawn(move || {
                for round in 0..20 {
                    let place = u64::from(index) * 1000;
                    let writes: Vec<_> =
                        (0..10).map(|part| ctx.write(vec![index + round; 100], &fd, place + part * 100)).collect();
                    for (written, _) in block_on(join_all(writes)) {
                        assert_eq!(written.unwrap(), 100);
                    }
                    block_on(ctx.fdsync(&fd)).unwrap();
                    assert_eq!(block_on(ctx.read(1000, &fd, place)).unwrap(), [index + round; 1000]);
                }
            });
        }
    });
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// A context works on after each of the threads that used it is gone.
fn threads_that_exit(fixture: &Fixture) {
    let ctx = fixture.bounded(8);
    let fd = fixture.file("exit", &pattern(5000));
    for round in 0..50 {
        let (ctx, fd) = (ctx.clone(), fd.clone());
        let read = thread::spawn(move || block_on(ctx.read(100, &fd, round * 100)));
        assert_eq!(read.join().unwrap().unwrap(), pattern(5000)[round as usize * 100..][..100]);
    }
}

/// An operation outlives the thread that submitted it.
fn submitted_by_a_thread_that_exited(fixture: &Fixture) {
    let ctx = fixture.bounded(8);
    let fd = fixture.file("outlived", b"");
    for round in 0..20_u8 {
        let (ctx, file) = (ctx.clone(), fd.clone());
        let submit = move || -> Vec<Timed<_>> {
            let write = |part: u64| ctx.write(vec![round; 5000], &file, part * 5000).submit();
            let mut writes: Vec<_> = (0..4).map(write).collect();
            let mut polled = ctx.write(vec![round; 5000], &file, 20_000);
            if poll_once(&mut polled).is_pending() {
                writes.push(polled);
            }
            writes
        };
        let writes = thread::spawn(submit).join().unwrap();
        for (written, _) in block_on(join_all(writes)) {
            assert_eq!(written.unwrap(), 5000);
        }
        assert!(fixture.content("outlived") == [round; 25_000]);
    }
}

/// A future is polled here and awaited there.
fn moved_between_polls(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("moved", b"data");
    for _ in 0..50 {
        let mut sync = ctx.fsync(&fd);
        if poll_once(&mut sync).is_pending() {
            thread::spawn(move || block_on(sync)).join().unwrap().unwrap();
        }
    }
}

/// A future is made here and cancelled there.
fn cancelled_elsewhere(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let fd = fixture.file("cancelled", &[0; 64]);
    let writes: Vec<_> = (0..64).map(|index| ctx.write(vec![0xff], &fd, index).submit()).collect();
    let cancel = move || block_on(join_all(writes.into_iter().map(Timed::cancel).collect()));
    let outcomes = thread::spawn(cancel).join().unwrap();
    for (byte, outcome) in fixture.content("cancelled").into_iter().zip(outcomes) {
        assert_eq!(byte == 0xff, matches!(outcome, Outcome::Completed(Ok(1), _)));
    }
}

/// Futures are made here and dropped there.
fn dropped_elsewhere(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("dropped", &pattern(1000));
    for _ in 0..20 {
        let syncs: Vec<_> = (0..10).map(|_| ctx.fsync(&fd).submit()).collect();
        let read = ctx.read(100, &fd, 0).submit();
        thread::spawn(move || drop(syncs)).join().unwrap();
        assert_eq!(block_on(read).unwrap(), pattern(100));
    }
    until("all room is given back", || ctx.in_flight() == 0 && ctx.queued() == 0);
}

/// A batch is filled here, submitted there, and awaited here again.
fn batch_elsewhere(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("batch", b"");
    let mut batch = ctx.batch();
    let writes: Vec<_> = (0..20).map(|index| batch.write(vec![3; 10], &fd, index * 10)).collect();
    thread::spawn(move || batch.submit()).join().unwrap().unwrap();
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.unwrap(), 10);
    }
    assert_eq!(fixture.content("batch"), [3; 200]);
}

/// Two contexts share a file, and nothing else.
fn two_contexts(fixture: &Fixture) {
    let (one, two) = (fixture.bounded(1), fixture.bounded(1));
    let fd = fixture.file("two", b"");
    let again = open(&fixture.path("two"));
    let writes: Vec<_> = (0..20).map(|index| one.write(vec![1; 10], &fd, index * 20).submit()).collect();
    let others: Vec<_> = (0..20).map(|index| two.write(vec![2; 10], &again, index * 20 + 10).submit()).collect();
    for (written, _) in block_on(join_all(others)).into_iter().chain(block_on(join_all(writes))) {
        assert_eq!(written.unwrap(), 10);
    }
    let expected = [[1; 10], [2; 10]].concat().repeat(20);
    assert_eq!(fixture.content("two"), expected);
    drop(one);
    assert_eq!(block_on(two.read(10, &fd, 0)).unwrap(), [1; 10]);
}

/// A context is made in one thread, used in another, dropped in a third.
fn context_from_thread_to_thread(fixture: &Fixture) {
    let fd = fixture.file("hands", b"data");
    thread::scope(|scope| {
        let ctx = scope.spawn(|| fixture.context()).join().unwrap();
        let used = scope.spawn(|| {
            assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"data");
            block_on(ctx.fsync(&fd)).unwrap();
            ctx
        });
        let ctx = used.join().unwrap();
        scope.spawn(move || drop(ctx)).join().unwrap();
    });
}
