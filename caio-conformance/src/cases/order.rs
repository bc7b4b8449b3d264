//! First come, first served, for each file; and nothing is kept from whoever reads next.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{block_on, join_all, park, pipe, pipe_to, poll_once, until};
use caio_core::{NO_OFFSET, SharedFd};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::task::Poll;
use std::time::Duration;

cases!("order":
    first_read_is_served_first, a_new_one_does_not_overtake, submitted_reads_in_turn, reads_of_a_socket_in_turn, beyond_the_bound_in_turn,
    positions_beyond_the_bound_in_turn,
    polled_backwards, a_cancelled_one_leaves_its_place, writes_in_turn, writes_keep_their_bytes_together,
    next_reader_is_std, next_reader_is_another_context, nothing_is_kept_after_a_drop,
    two_contexts_take_turns, another_clone_reads_next, a_child_process_reads_next,
);

/// One that waits is served before those that come later.
fn first_read_is_served_first(fixture: &Fixture) {
    let ctx = fixture.context();
    for _ in 0..20 {
        let (reader, mut writer) = pipe();
        let mut first = ctx.read(1, &reader, NO_OFFSET);
        park(&mut first);
        let second = ctx.read(1, &reader, NO_OFFSET).submit();
        let mut third = ctx.read(1, &reader, NO_OFFSET);
        park(&mut third);
        writer.write_all(b"123").expect("room");
        assert_eq!(block_on(third).expect("a read"), b"3");
        assert_eq!(block_on(second).expect("a read"), b"2");
        assert_eq!(block_on(first).expect("a read"), b"1");
    }
}

/// One that comes when there is something to read does not take it from one that waits already.
fn a_new_one_does_not_overtake(fixture: &Fixture) {
    let ctx = fixture.context();
    for round in 0..100 {
        let (reader, mut writer) = pipe();
        let mut first = ctx.read(1, &reader, NO_OFFSET);
        park(&mut first);
        writer.write_all(b"1").expect("room");
        let mut second = ctx.read(1, &reader, NO_OFFSET);
        let second = match poll_once(&mut second) {
            Poll::Ready(read) => read,
            Poll::Pending => {
                writer.write_all(b"2").expect("room");
                block_on(second)
            }
        };
        assert_eq!(second.expect("a read"), b"2", "round {round}");
        assert_eq!(block_on(first).expect("a read"), b"1");
    }
}

/// Feeds so many reads of a byte each, in pieces, and compares.
fn assert_in_turn(ctx: &crate::context::Context, reader: &SharedFd, mut writer: impl Write, reads: usize) {
    let reads: Vec<_> = (0..reads).map(|_| ctx.read(1, reader, NO_OFFSET).submit()).collect();
    let bytes: Vec<u8> = (0..reads.len()).map(|number| number as u8).collect();
    for piece in bytes.chunks(7) {
        writer.write_all(piece).expect("room");
    }
    let read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(|read| read.expect("a read")).collect();
    assert_eq!(read, bytes);
}

/// Those that nobody polls are served in turn.
fn submitted_reads_in_turn(fixture: &Fixture) {
    let ctx = fixture.context();
    for _ in 0..10 {
        let (reader, writer) = pipe();
        assert_in_turn(&ctx, &reader, writer, 50);
    }
}

/// So are those of a socket.
fn reads_of_a_socket_in_turn(fixture: &Fixture) {
    let ctx = fixture.context();
    for _ in 0..10 {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        assert_in_turn(&ctx, &OwnedFd::from(ours).into(), theirs, 50);
    }
}

/// So are those that wait for room, whichever thread ends the ones before them.
fn beyond_the_bound_in_turn(fixture: &Fixture) {
    for bound in [1, 2, 3] {
        let ctx = fixture.bounded(bound);
        for _ in 0..20 {
            let (reader, writer) = pipe();
            assert_in_turn(&ctx, &reader, writer, 100);
        }
    }
}

/// So are transfers at a file's own position.
fn positions_beyond_the_bound_in_turn(fixture: &Fixture) {
    let bytes: Vec<u8> = (0..100).collect();
    for bound in [1, 2, 3] {
        let ctx = fixture.bounded(bound);
        for _ in 0..20 {
            let file = fixture.file("positions", &bytes);
            let reads: Vec<_> = (0..100).map(|_| ctx.read(1, &file, NO_OFFSET).submit()).collect();
            let read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(|read| read.expect("a read")).collect();
            assert_eq!(read, bytes);
        }
    }
}

/// The order is that of the starts, not that of the polls.
fn polled_backwards(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let mut reads: Vec<_> = (0..8).map(|_| ctx.read(1, &reader, NO_OFFSET).submit()).collect();
    reads.iter_mut().rev().for_each(|read| drop(park(read)));
    writer.write_all(b"01234567").expect("room");
    let read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(|read| read.expect("a read")).collect();
    assert_eq!(read, b"01234567");
}

/// When one is given up the others keep their turn.
fn a_cancelled_one_leaves_its_place(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let mut reads: Vec<_> = (0..6).map(|_| ctx.read(1, &reader, NO_OFFSET).submit()).collect();
    drop(block_on(reads.remove(3).cancel()));
    drop(block_on(reads.remove(0).cancel()));
    writer.write_all(b"0123").expect("room");
    let read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(|read| read.expect("a read")).collect();
    assert_eq!(read, b"0123");
}

/// Fills a pipe until it takes no more.
fn fill(writer: &SharedFd) -> usize {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let flags = fcntl_getfl(writer.file()).expect("its flags");
    fcntl_setfl(writer.file(), flags | OFlags::NONBLOCK).expect("its flags");
    let mut filled = 0;
    while let Ok(bytes) = writer.file().write(&[0xff; 4096]) {
        filled += bytes;
    }
    fcntl_setfl(writer.file(), flags).expect("its flags");
    filled
}

/// Writes that wait for room are written in turn.
fn writes_in_turn(fixture: &Fixture) {
    let ctx = fixture.context();
    let (writer, mut reader) = pipe_to();
    let mut left = vec![0; fill(&writer)];
    let mut writes: Vec<_> =
        (0..20_u8).map(|number| ctx.write(vec![number; 100], &writer, NO_OFFSET).submit()).collect();
    park(&mut writes[0]);
    reader.read_exact(&mut left).expect("what it was filled with");
    let mut all = vec![0; 2000];
    reader.read_exact(&mut all).expect("all writes");
    for (number, written) in block_on(join_all(writes)).into_iter().enumerate() {
        assert_eq!(written.0.expect("a write"), 100);
        assert_eq!(all[number * 100..][..100], [number as u8; 100]);
    }
}

/// Those that a pipe takes as one (no more than `PIPE_BUF`) stay together, beside writes of all sizes.
fn writes_keep_their_bytes_together(fixture: &Fixture) {
    let ctx = fixture.context();
    let (writer, mut reader) = pipe_to();
    let writes: Vec<_> =
        (1..=120_u8).map(|number| ctx.write(vec![number; 4000], &writer, NO_OFFSET).submit()).collect();
    let mut all = vec![0; 120 * 4000];
    reader.read_exact(&mut all).expect("all writes");
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.expect("a write"), 4000);
    }
    for (place, record) in all.chunks(4000).enumerate() {
        assert!(record.iter().all(|byte| *byte == record[0]), "write {place} is torn");
    }
}

/// What comes after a read's time was up is there for `std`.
fn next_reader_is_std(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    for round in 0..20 {
        let read = ctx.read(64, &reader, NO_OFFSET).timeout(Duration::from_millis(2));
        block_on(read).expect_err("there is nothing");
        until("it has ended", || ctx.in_flight() == 0);
        writer.write_all(&[round; 10]).expect("room");
        let mut buf = [0xee; 10];
        reader.file().read_exact(&mut buf).expect("a read");
        assert_eq!(buf, [round; 10]);
    }
}

/// So it is for another context.
fn next_reader_is_another_context(fixture: &Fixture) {
    let (one, two) = (fixture.context(), fixture.context());
    let (reader, mut writer) = pipe();
    for round in 0..20 {
        drop(block_on(one.read(64, &reader, NO_OFFSET).submit().cancel()));
        until("it has ended", || one.in_flight() == 0);
        writer.write_all(&[round; 10]).expect("room");
        assert_eq!(block_on(two.read(10, &reader, NO_OFFSET)).expect("a read"), [round; 10]);
    }
}

/// So it is after a drop, and after the context has gone.
fn nothing_is_kept_after_a_drop(fixture: &Fixture) {
    let (reader, mut writer) = pipe();
    for round in 0..10 {
        let ctx = fixture.context();
        let mut read = ctx.read(64, &reader, NO_OFFSET);
        park(&mut read);
        drop(read);
        until("it has ended", || ctx.in_flight() == 0);
        drop(ctx);
        writer.write_all(&[round; 10]).expect("room");
        let mut buf = [0xee; 10];
        reader.file().read_exact(&mut buf).expect("a read");
        assert_eq!(buf, [round; 10]);
    }
}

/// Two contexts that read by turns lose nothing, and each gets what is next.
fn two_contexts_take_turns(fixture: &Fixture) {
    let contexts = [fixture.context(), fixture.context()];
    let (reader, mut writer) = pipe();
    for round in 0..100 {
        writer.write_all(&[round; 3]).expect("room");
        let mut all = Vec::new();
        for turn in 0..3 {
            let read = contexts[turn % 2].read(1, &reader, NO_OFFSET);
            all.extend(block_on(read).expect("a read"));
        }
        assert_eq!(all, [round; 3]);
    }
}

/// A clone of the descriptor reads on.
fn another_clone_reads_next(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let clone: SharedFd = reader.file().try_clone().expect("a clone").into();
    writer.write_all(b"0123456789").expect("room");
    assert_eq!(block_on(ctx.read(3, &reader, NO_OFFSET)).expect("a read"), b"012");
    assert_eq!(block_on(ctx.read(3, &clone, NO_OFFSET)).expect("a read"), b"345");
    drop(block_on(ctx.read(0, &reader, NO_OFFSET)));
    let mut rest = [0; 4];
    reader.file().read_exact(&mut rest).expect("a read");
    assert_eq!(&rest, b"6789");
}

/// Another program reads on.
fn a_child_process_reads_next(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    writer.write_all(b"first rest").expect("room");
    drop(writer);
    assert_eq!(block_on(ctx.read(6, &reader, NO_OFFSET)).expect("a read"), b"first ");
    let stdin = reader.file().try_clone().expect("a clone");
    let output = std::process::Command::new("cat").stdin(stdin).output().expect("cat");
    assert_eq!(output.stdout, b"rest");
}
