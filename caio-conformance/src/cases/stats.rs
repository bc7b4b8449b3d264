//! What the counters say.

use super::cases;
use crate::context::Context;
use crate::fixture::Fixture;
use crate::kit::{block_on, join_all, pattern, until};
use crate::meter::Timed;

cases!("stats": bytes_are_counted, all_that_start_end, errors_end_too, dropped_ones_end_too, cancelled_ones_are_told, waiting_is_counted);

/// Waits until all that was started has ended.
fn settled(ctx: &Context) {
    until("as many have ended as were started", || {
        let stats = ctx.stats();
        stats.submitted == stats.completed
    });
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// Bytes in and out are counted apart.
fn bytes_are_counted(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("bytes", b"");
    assert_eq!(ctx.stats().submitted, 0);
    block_on(async {
        ctx.write(pattern(1000), &fd, 0).await.0.unwrap();
        ctx.writev(vec![pattern(10), pattern(20)], &fd, 1000).await.0.unwrap();
        ctx.read(600, &fd, 0).await.unwrap();
        ctx.readv(vec![vec![0; 50], vec![0; 50]], &fd, 1000).await.0.unwrap();
        ctx.fsync(&fd).await.unwrap();
    });
    let stats = ctx.stats();
    assert_eq!((stats.bytes_written, stats.bytes_read), (1030, 630));
    assert_eq!((stats.submitted, stats.completed, stats.cancelled), (5, 5, 0));
}

/// Everything that starts ends, and no more.
fn all_that_start_end(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = fixture.file("all", &pattern(1000));
    let reads = (0..50).map(|index| ctx.read(10, &fd, index * 10)).collect();
    let syncs = (0..50).map(|_| ctx.fsync(&fd).submit()).collect();
    block_on(join_all(reads)).into_iter().for_each(|read| drop(read.unwrap()));
    block_on(join_all(syncs)).into_iter().for_each(Result::unwrap);
    settled(&ctx);
    let stats = ctx.stats();
    assert_eq!((stats.submitted, stats.bytes_read, stats.cancelled), (100, 500, 0));
    assert!(stats.inline <= stats.completed && stats.fallback <= stats.completed);
}

/// What fails has ended, and has transferred nothing.
fn errors_end_too(fixture: &Fixture) {
    let ctx = fixture.context();
    let _made = fixture.file("errors", b"data");
    let fd = std::fs::File::open(fixture.path("errors")).unwrap().into();
    for _ in 0..10 {
        block_on(ctx.write(b"no", &fd, 0)).0.unwrap_err();
    }
    settled(&ctx);
    let stats = ctx.stats();
    assert_eq!((stats.completed, stats.bytes_written, stats.cancelled), (10, 0, 0));
}

/// What was dropped has ended in the end, also what still waited for room.
fn dropped_ones_end_too(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let fd = fixture.file("dropped", &pattern(1000));
    let syncs: Vec<_> = (0..50).map(|_| ctx.fsync(&fd).submit()).collect();
    drop(syncs);
    let mut batch = ctx.batch();
    drop(batch.read(10, &fd, 0));
    drop(batch);
    block_on(ctx.fsync(&fd)).unwrap();
    settled(&ctx);
    assert_eq!(ctx.stats().submitted, 51, "what was never started does not count");
}

/// What was cancelled is counted so, and what completed is not.
fn cancelled_ones_are_told(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let fd = fixture.file("cancelled", b"");
    let syncs: Vec<_> = (0..50).map(|_| ctx.fsync(&fd).submit()).collect();
    let outcomes = block_on(join_all(syncs.into_iter().map(Timed::cancel).collect()));
    let cancelled = outcomes.iter().filter(|outcome| matches!(outcome, caio_core::Outcome::Cancelled(()))).count();
    drop(block_on(ctx.fsync(&fd).cancel()));
    let mut batch = ctx.batch();
    drop(block_on(batch.fsync(&fd).cancel()));
    settled(&ctx);
    let stats = ctx.stats();
    assert_eq!((stats.submitted, stats.cancelled), (50, cancelled as u64));
}

/// What had to wait for room is counted, and has started nevertheless.
fn waiting_is_counted(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let fd = fixture.file("waiting", b"");
    let syncs: Vec<_> = (0..50).map(|_| ctx.fsync(&fd).submit()).collect();
    let waited = ctx.stats().waited;
    block_on(join_all(syncs)).into_iter().for_each(Result::unwrap);
    settled(&ctx);
    let stats = ctx.stats();
    assert!(stats.waited == waited && waited < stats.submitted, "{waited} of {} waited", stats.submitted);
    assert!(waited != 0 || stats.inline == stats.completed, "there was room for one");
}
