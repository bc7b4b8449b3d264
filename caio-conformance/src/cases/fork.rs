//! A child process must not use its parent's context, and must not hang when it tries.

use super::cases;
use crate::fixture::{Fixture, skip};
use crate::kit::{BLOCK, block_on, in_child, join_all, open_direct, park, pattern, pipe, poll_once};
use caio_core::{AlignedBuf, NO_OFFSET, Outcome};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

cases!("fork": ; alone:
    child_cannot_start, child_cannot_await, child_cannot_use_a_batch, child_drops, child_closes, child_makes_its_own,
    locks_that_were_held, parent_works_on, child_polls_in_each_phase, child_goes_on_with_transfers,
);

/// A new operation is refused, and its buffer comes back.
fn child_cannot_start(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("start", b"data");
    block_on(ctx.read(8, &fd, 0)).unwrap();
    in_child(|| {
        let (written, buf) = block_on(ctx.write(b"child".to_vec(), &fd, 0));
        let read = block_on(ctx.read(8, &fd, 0).submit());
        let synced = block_on(ctx.fsync(&fd));
        written.is_err() && buf == b"child" && read.is_err() && synced.is_err() && ctx.in_flight() == 0
    });
    assert_eq!(fixture.content("start"), b"data");
    assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"data");
}

/// An operation that the parent started gives an error in the child.
fn child_cannot_await(fixture: &Fixture) {
    let ctx = fixture.context();
    let [(reader, mut writer), (second_reader, mut second_writer), (third_reader, _third_writer)] =
        [pipe(), pipe(), pipe()];
    let mut parked = ctx.read(8, &reader, NO_OFFSET);
    park(&mut parked);
    let mut submitted = Some(ctx.read_into(vec![0; 8], &second_reader, NO_OFFSET).submit());
    let mut cancelled = Some(ctx.read(8, &third_reader, NO_OFFSET).submit());
    in_child(|| {
        let first = block_on(&mut parked).is_err();
        let second = submitted.take().is_some_and(|read| block_on(read).0.is_err());
        let third =
            cancelled.take().is_some_and(|read| matches!(block_on(read.cancel()), Outcome::Completed(Err(_), _)));
        first && second && third
    });
    writer.write_all(b"1").unwrap();
    assert_eq!(block_on(parked).unwrap(), b"1");
    second_writer.write_all(b"2").unwrap();
    let (read, _) = block_on(submitted.unwrap());
    assert_eq!(read.unwrap(), 1);
    drop(cancelled);
}

/// A batch of the parent's cannot be submitted, nor one of its operations.
fn child_cannot_use_a_batch(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("batch", b"data");
    let mut batch = Some(ctx.batch());
    let mut writes: Vec<_> =
        (0..3).map(|_| batch.as_mut().map(|batch| batch.write(b"child", &fd, 0))).map(Option::unwrap).collect();
    in_child(|| {
        let refused = batch.take().is_some_and(|batch| batch.submit().is_err());
        let submitted = writes.pop().is_some_and(|write| block_on(write.submit()).0.is_err());
        let awaited = writes.pop().is_some_and(|write| block_on(write).0.is_err());
        writes.clear();
        let added = block_on(ctx.batch().read(8, &fd, 0)).is_err();
        refused && submitted && awaited && added
    });
    assert_eq!(fixture.content("batch"), b"data");
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
    drop(writes);
}

/// Dropping everything in the child does not hang, and does not disturb the parent.
fn child_drops(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let mut parked = Some(ctx.read(8, &reader, NO_OFFSET));
    parked.iter_mut().for_each(|read| drop(park(read)));
    let mut kept = Some(ctx);
    in_child(|| {
        drop(parked.take());
        drop(kept.take());
        true
    });
    writer.write_all(b"parent").unwrap();
    assert_eq!(block_on(parked.unwrap()).unwrap(), b"parent");
}

/// A close in the child ends at once; the parent's context stays open.
fn child_closes(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("close", b"data");
    let (reader, _writer) = pipe();
    let mut parked = ctx.read(8, &reader, NO_OFFSET);
    park(&mut parked);
    in_child(|| {
        block_on(ctx.close());
        true
    });
    assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"data");
}

/// A context of its own works in the child.
fn child_makes_its_own(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("own", b"data");
    block_on(ctx.fsync(&fd)).unwrap();
    in_child(|| {
        let own = fixture.bounded(4);
        let (written, _) = block_on(own.write(b"mine", &fd, 0));
        let synced = block_on(own.fsync(&fd));
        let read = block_on(own.read(8, &fd, 0));
        written.is_ok() && synced.is_ok() && read.is_ok_and(|data| data == b"mine")
    });
    assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"mine");
}

/// Whatever locks other threads held at the fork, the child does not wait for them.
fn locks_that_were_held(fixture: &Fixture) {
    // While the process is copied its other threads wait for its memory.
    fixture.is_slow_itself();
    let ctx = fixture.bounded(4);
    let fd = fixture.file("locks", &pattern(10_000));
    let stop = AtomicBool::new(false);
    let (reader, _writer) = pipe();
    thread::scope(|scope| {
        let _stopped_by = OnDrop(|| stop.store(true, Ordering::Relaxed));
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut dropped = ctx.fsync(&fd);
                    drop(poll_once(&mut dropped));
                    drop(dropped);
                    assert_eq!(block_on(ctx.read(10, &fd, 0)).unwrap().len(), 10);
                }
            });
        }
        for _ in 0..20 {
            let mut read = Some(ctx.read(8, &reader, NO_OFFSET).submit());
            in_child(|| {
                let inherited = read.take().is_none_or(|read| block_on(read).is_err());
                let told = (ctx.in_flight(), ctx.queued()) == (0, 0);
                inherited && told && block_on(ctx.fsync(&fd)).is_err()
            });
        }
    });
}

/// Does something when it is dropped, in a panic too.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The parent's operations go on while children come and go.
fn parent_works_on(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("parent", &pattern(10_000));
    for round in 0..10 {
        let syncs: Vec<_> = (0..8).map(|_| ctx.fsync(&fd).submit()).collect();
        in_child(|| true);
        for sync in block_on(join_all(syncs)) {
            sync.unwrap();
        }
        assert_eq!(block_on(ctx.read(10, &fd, round)).unwrap().len(), 10);
    }
}

/// In whatever phase a future is, in the child it ends with an error, or with what it had read before; and the parent's goes on.
fn child_polls_in_each_phase(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let content = pattern(1 << 20);
    let fd = fixture.file("phases", &content);
    let (reader, mut writer) = pipe();
    let read = |len| ctx.read(len, &fd, 0);
    let idle = || ctx.read(1, &reader, NO_OFFSET);
    let mut batch = ctx.batch();
    let staged = batch.read(100, &fd, 0);
    let (lazy, submitted) = (read(100), read(200_000).submit());
    let mut polled = read(1 << 20);
    let is_pending = poll_once(&mut polled).is_pending();
    let mut parked = idle();
    park(&mut parked);
    let limited = idle().timeout(Duration::from_secs(60)).submit();
    let mut futures = vec![submitted, lazy, parked, limited, staged];
    futures.extend((0..3).map(|_| idle().submit()));
    futures.extend(is_pending.then_some(polled));
    // What was read before the fork is in memory that the child has as well.
    let had_ended = |read: &[u8]| read.len() > 100 && content.starts_with(read);
    for phase in 0..futures.len() {
        in_child(|| {
            // One is awaited, one cancelled, the others are dropped.
            let awaited = block_on(futures.swap_remove(phase));
            let cancelled = futures.pop().map(|next| block_on(next.cancel()));
            futures.clear();
            let is_cancelled = match cancelled {
                Some(Outcome::Completed(Ok(_), read)) => had_ended(&read),
                _ => true,
            };
            awaited.map_or(true, |read| had_ended(&read)) && is_cancelled
        });
    }
    batch.submit().unwrap();
    writer.write_all(&[7; 5]).unwrap();
    for (phase, read) in block_on(join_all(futures)).into_iter().enumerate() {
        assert!(!read.unwrap().is_empty(), "future {phase}");
    }
}

/// Transfers with `O_DIRECT` that the parent has polled once are not submitted by the child, in no way.
fn child_goes_on_with_transfers(fixture: &Fixture) {
    let ctx = fixture.bounded(32);
    fixture.file("direct", &pattern(64 * BLOCK)).file().sync_all().unwrap();
    let fd = open_direct(&fixture.path("direct")).unwrap_or_else(|error| skip(format!("no O_DIRECT here: {error}")));
    for _ in 0..5 {
        let read = |block: usize| ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, (block * BLOCK) as u64);
        let mut reads: Vec<_> = (0..16).map(read).collect();
        reads.retain_mut(|read| poll_once(read).is_pending());
        in_child(|| {
            let polled = reads.pop().is_none_or(|mut read| match poll_once(&mut read) {
                Poll::Ready((read, _)) => read.is_err(),
                Poll::Pending => block_on(read).0.is_err(),
            });
            let submitted = reads.pop().is_none_or(|read| block_on(read.submit()).0.is_err());
            let cancelled = reads.pop().map(|read| block_on(read.cancel()));
            reads.clear();
            polled && submitted && !matches!(cancelled, Some(Outcome::Completed(Ok(_), _)))
        });
        for (read, block) in block_on(join_all(reads)) {
            assert_eq!((read.unwrap(), block.len()), (BLOCK, BLOCK));
        }
    }
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}
