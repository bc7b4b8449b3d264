//! What may wait for ever has room of its own, and what cannot never waits for it.

use super::cases;
use crate::context::Context;
use crate::fixture::Fixture;
use crate::kit::{block_on, join_all, park, pattern, pipe, until};
use caio_core::{NO_OFFSET, SharedFd};
use std::io::Write;

cases!("room":
    idle_reads_leave_room_for_files, idle_reads_leave_room_for_writes_to_streams, full_writes_leave_room_for_reads,
    idle_reads_leave_room_for_a_batch, a_context_that_feeds_itself, idle_reads_wait_for_each_other,
    waiting_reads_can_be_given_up,
);

/// Reads that get nothing, three times as many as there is room for.
fn idle(ctx: &Context, reader: &SharedFd) -> Vec<crate::meter::Timed<caio_core::Operation<caio_core::Read>>> {
    (0..3 * ctx.max_requests()).map(|_| ctx.read(1, reader, NO_OFFSET).submit()).collect()
}

/// Reads, writes and syncs a file.
fn use_a_file(fixture: &Fixture, ctx: &Context) {
    let fd = fixture.file("file", &pattern(100_000));
    for round in 0..10_u8 {
        assert_eq!(block_on(ctx.write(vec![round; 100], &fd, 200_000)).0.expect("a write"), 100);
        assert_eq!(block_on(ctx.read(100, &fd, 200_000)).expect("a read"), [round; 100]);
        assert_eq!(block_on(ctx.read(90_000, &fd, 0).submit()).expect("a read").len(), 90_000);
        block_on(ctx.fdsync(&fd)).expect("a sync");
    }
}

/// Files are read, written and synced.
fn idle_reads_leave_room_for_files(fixture: &Fixture) {
    for bound in [1, 2, 7] {
        let ctx = fixture.bounded(bound);
        let (reader, mut writer) = pipe();
        let idle = idle(&ctx, &reader);
        use_a_file(fixture, &ctx);
        writer.write_all(&vec![1; idle.len()]).expect("room");
        for read in block_on(join_all(idle)) {
            assert_eq!(read.expect("a read"), [1]);
        }
    }
}

/// A write to the pipe that they read goes through, and ends them.
fn idle_reads_leave_room_for_writes_to_streams(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let (reader, writer) = pipe();
    let writer: SharedFd = writer.into();
    let idle = idle(&ctx, &reader);
    assert_eq!(block_on(ctx.write(vec![7; idle.len()], &writer, NO_OFFSET)).0.expect("a write"), idle.len());
    for read in block_on(join_all(idle)) {
        assert_eq!(read.expect("a read"), [7]);
    }
}

/// Writes that find no room leave some for the reads that would make it.
fn full_writes_leave_room_for_reads(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let (reader, writer) = pipe();
    let writer: SharedFd = writer.into();
    let writes: Vec<_> = (0..40).map(|_| ctx.write(vec![7; 4096], &writer, NO_OFFSET).submit()).collect();
    let mut read = 0;
    while read < 40 * 4096 {
        read += block_on(ctx.read(10_000, &reader, NO_OFFSET)).expect("a read").len();
    }
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.expect("a write"), 4096);
    }
    use_a_file(fixture, &ctx);
}

/// A batch of transfers is carried out.
fn idle_reads_leave_room_for_a_batch(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let (reader, _writer) = pipe();
    let idle = idle(&ctx, &reader);
    let fd = fixture.file("batch", b"");
    let mut batch = ctx.batch();
    let waits = batch.read(1, &reader, NO_OFFSET);
    let writes = (0..20).map(|index| batch.write(vec![index; 10], &fd, u64::from(index) * 10)).collect();
    batch.submit().expect("a batch");
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.expect("a write"), 10);
    }
    assert_eq!(fixture.content("batch").len(), 200);
    drop((idle, waits));
}

/// With room for one, a context writes what it reads.
fn a_context_that_feeds_itself(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let (reader, writer) = pipe();
    let writer: SharedFd = writer.into();
    for round in 0..20 {
        let mut read = ctx.read(8, &reader, NO_OFFSET);
        park(&mut read);
        assert_eq!(block_on(ctx.write(vec![round; 5], &writer, NO_OFFSET)).0.expect("a write"), 5);
        assert_eq!(block_on(read).expect("a read"), [round; 5]);
    }
}

/// Of reads alone no more wait than there is room for; the others follow.
fn idle_reads_wait_for_each_other(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let pipes: Vec<_> = (0..12).map(|_| pipe()).collect();
    let reads = pipes.iter().map(|(reader, _)| ctx.read(1, reader, NO_OFFSET).submit()).collect();
    for (index, (_, writer)) in pipes.iter().enumerate() {
        let mut writer = writer;
        writer.write_all(&[index as u8]).expect("room");
    }
    for (index, read) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!(read.expect("a read"), [index as u8]);
    }
}

/// Those that wait for room end when they are given up, without any of the others ending.
fn waiting_reads_can_be_given_up(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let (reader, _writer) = pipe();
    let mut idle = idle(&ctx, &reader);
    let last = idle.pop().expect("there are some");
    assert!(matches!(block_on(last.cancel()), caio_core::Outcome::Cancelled(_)));
    let late = ctx.read(1, &reader, NO_OFFSET).timeout(std::time::Duration::from_millis(5));
    block_on(late).expect_err("its time is up");
    drop(idle);
    until("all room is given back", || ctx.in_flight() == 0 && ctx.queued() == 0);
}
