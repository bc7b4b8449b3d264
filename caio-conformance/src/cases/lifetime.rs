//! What is dropped, forgotten or closed while operations are in flight.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{block_on, join_all, pattern, poll_once, until};
use caio_core::SharedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};

cases!("lifetime":
    dropped_writes_keep_their_memory, dropped_reads_keep_their_memory, forgotten_futures, file_is_let_go,
    file_outlives_its_handle, try_unwrap_in_flight, context_dropped_first, context_and_operations_dropped,
    many_contexts, close_drains, close_drains_what_waits, close_again, close_with_a_staged_batch,
    close_keeps_the_results, panicking_waker,
);

/// The memory of a write that was dropped stays as it is until the write is over.
fn dropped_writes_keep_their_memory(fixture: &Fixture) {
    const BLOCK: usize = 16_384;
    let ctx = fixture.bounded(16);
    let fd = fixture.file("dropped", &[]);
    for index in 0..64_u8 {
        drop(ctx.write(vec![index + 1; BLOCK], &fd, u64::from(index) * BLOCK as u64).submit());
        drop(vec![0xee_u8; BLOCK]); // would land in memory that was freed too early
    }
    until("all have ended", || ctx.in_flight() == 0 && ctx.queued() == 0);
    for (index, block) in fixture.content("dropped").chunks(BLOCK).enumerate() {
        let written = block.iter().all(|byte| *byte == index as u8 + 1);
        assert!(written || block.iter().all(|byte| *byte == 0), "block {index} has somebody else's bytes");
    }
}

/// A read that was dropped writes into nobody's memory.
fn dropped_reads_keep_their_memory(fixture: &Fixture) {
    const BLOCK: usize = 16_384;
    let ctx = fixture.bounded(16);
    let fd = fixture.file("read", &vec![0xaa; BLOCK * 4]);
    for index in 0..200 {
        drop(ctx.read(BLOCK, &fd, index % 4 * BLOCK as u64).submit());
        let mine = vec![0x55_u8; BLOCK];
        thread::yield_now();
        assert!(mine.iter().all(|byte| *byte == 0x55), "a dropped read wrote into it");
    }
    until("all have ended", || ctx.in_flight() == 0 && ctx.queued() == 0);
}

/// Forgetting a future leaks its memory, and nothing else.
fn forgotten_futures(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("forgotten", &pattern(10_000));
    for index in 0..40 {
        std::mem::forget(ctx.write(vec![1; 10], &fd, index * 10).submit());
        let mut read = ctx.read(100, &fd, 0);
        drop(poll_once(&mut read));
        std::mem::forget(read);
        std::mem::forget(ctx.fsync(&fd));
    }
    assert_eq!(block_on(ctx.read(10, &fd, 9000)).unwrap(), pattern(10_000)[9000..9010]);
    block_on(ctx.close());
    assert_eq!(fixture.content("forgotten")[..400], [1; 400]);
}

/// When its operations are over, nobody holds the file.
fn file_is_let_go(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("free", b"data");
    block_on(async {
        ctx.read(8, &fd, 0).await.unwrap();
        ctx.write(b"more", &fd, 0).await.0.unwrap();
        ctx.fsync(&fd).await.unwrap();
    });
    let mut fd = Some(fd);
    until("nobody holds the file", || match fd.take().map(SharedFd::try_unwrap) {
        Some(Err(held)) => {
            fd = Some(held);
            false
        }
        Some(Ok(_)) | None => true,
    });
}

/// An operation needs no other handle of its file.
fn file_outlives_its_handle(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let writes: Vec<_> = (0..20)
        .map(|index| {
            let fd = fixture.file(&format!("alone-{index}"), b"");
            let write = ctx.write(vec![index; 1000], &fd, 0);
            if index % 2 == 0 { write.submit() } else { write }
        })
        .collect();
    // Whatever is opened now must not get the number of a file that an operation still needs.
    let _others: Vec<_> = (0..20).map(|index| fixture.file(&format!("other-{index}"), b"other")).collect();
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.unwrap(), 1000);
    }
    for index in 0..20_u8 {
        assert_eq!(fixture.content(&format!("alone-{index}")), [index; 1000]);
        assert_eq!(fixture.content(&format!("other-{index}")), b"other");
    }
}

/// A file cannot be taken from under an operation.
fn try_unwrap_in_flight(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("needed", b"data");
    let read = ctx.read(8, &fd, 0);
    let fd = fd.try_unwrap().expect_err("the operation has a clone");
    assert_eq!(block_on(read).unwrap(), b"data");
    assert!(fd.is_same(&fd.clone()));
}

/// Operations outlive the handle of their context.
fn context_dropped_first(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("orphan", &pattern(1000));
    let submitted: Vec<_> = (0..10).map(|index| ctx.read(100, &fd, index * 100).submit()).collect();
    let lazy = ctx.write(b"lazy", &fd, 2000);
    drop(ctx);
    let read: Vec<u8> = block_on(join_all(submitted)).into_iter().flat_map(Result::unwrap).collect();
    assert!(read == pattern(1000));
    assert_eq!(block_on(lazy).0.unwrap(), 4);
}

/// When all is dropped at once, what runs is ended, and the file is let go.
fn context_and_operations_dropped(fixture: &Fixture) {
    let fd = fixture.file("all", &pattern(100_000));
    for _ in 0..20 {
        let ctx = fixture.bounded(8);
        let mut operations: Vec<_> = (0..16).map(|index| ctx.read(5000, &fd, index * 5000)).collect();
        operations.iter_mut().for_each(|operation| drop(poll_once(operation)));
        drop(ctx);
        drop(operations);
    }
    let mut fd = Some(fd);
    until("nobody holds the file", || match fd.take().map(SharedFd::try_unwrap) {
        Some(Err(held)) => {
            fd = Some(held);
            false
        }
        Some(Ok(_)) | None => true,
    });
}

/// Contexts can be made and dropped, used and unused, again and again.
fn many_contexts(fixture: &Fixture) {
    let fd = fixture.file("many", b"data");
    for index in 0..60 {
        let ctx = fixture.bounded(8);
        if index % 3 == 0 {
            assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"data");
        }
        if index % 3 == 1 {
            drop(ctx.fsync(&fd).submit());
        }
    }
}

/// A close waits for what is in flight.
fn close_drains(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("drained", b"");
    for index in 0..100 {
        drop(ctx.write(vec![7; 10], &fd, index * 10).submit());
    }
    block_on(ctx.close());
    assert_eq!(ctx.in_flight(), 0);
    let content = fixture.content("drained");
    assert!(content.iter().all(|byte| *byte == 7 || *byte == 0));
}

/// A close waits for what waits for room, too.
fn close_drains_what_waits(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let fd = fixture.file("queued", b"");
    let writes: Vec<_> = (0..50).map(|index| ctx.write(vec![7; 10], &fd, index * 10).submit()).collect();
    block_on(ctx.close());
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
    assert_eq!(fixture.content("queued"), [7; 500]);
    drop(writes);
}

/// Closing twice, by two handles, at the same time, is closing.
fn close_again(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("again", b"data");
    let other = ctx.clone();
    let sync = ctx.fsync(&fd).submit();
    block_on(crate::kit::join(ctx.close(), other.close()));
    block_on(sync).unwrap();
    block_on(ctx.close());
    block_on(other.read(8, &fd, 0)).unwrap_err();
}

/// What was never started before a close does not start after it, and says so.
fn close_with_a_staged_batch(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("staged", b"data");
    let mut batch = ctx.batch();
    let submitted = batch.write(b"late".to_vec(), &fd, 0);
    let awaited = batch.write(b"late".to_vec(), &fd, 0);
    let started_later = ctx.write(b"late".to_vec(), &fd, 0);
    block_on(ctx.close());
    let (written, buf) = block_on(awaited);
    written.unwrap_err();
    assert_eq!(buf, b"late");
    batch.submit().unwrap_err();
    block_on(submitted).0.unwrap_err();
    block_on(started_later).0.unwrap_err();
    assert_eq!(fixture.content("staged"), b"data");
}

/// What ended before or during a close still gives its result.
fn close_keeps_the_results(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let fd = fixture.file("results", &pattern(1000));
    let reads: Vec<_> = (0..10).map(|index| ctx.read(100, &fd, index * 100).submit()).collect();
    block_on(ctx.close());
    let read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(Result::unwrap).collect();
    assert!(read == pattern(1000));
}

/// Panics when another thread wakes it.
struct Bomb(ThreadId);

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        if thread::current().id() != self.0 {
            std::panic::resume_unwind(Box::new("a waker that panics, on purpose"));
        }
    }
}

/// A waker that panics harms no other operation.
fn panicking_waker(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("bomb", &pattern(1000));
    let waker = Waker::from(Arc::new(Bomb(thread::current().id())));
    for _ in 0..10 {
        let mut bombs: Vec<_> = (0..8).map(|_| ctx.fsync(&fd)).collect();
        let mut ended = [false; 8];
        for _ in 0..200 {
            for (bomb, ended) in bombs.iter_mut().zip(&mut ended).filter(|(_, ended)| !**ended) {
                let pinned = std::pin::Pin::new(bomb);
                let polled = catch_unwind(AssertUnwindSafe(|| pinned.poll(&mut Context::from_waker(&waker))));
                *ended = polled.is_ok_and(|poll| poll.is_ready());
            }
        }
        for (bomb, _) in bombs.into_iter().zip(ended).filter(|(_, ended)| !ended) {
            block_on(bomb).unwrap();
        }
        assert_eq!(block_on(ctx.read(10, &fd, 0)).unwrap(), pattern(1000)[..10]);
    }
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}
