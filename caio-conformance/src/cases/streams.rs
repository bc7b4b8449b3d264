//! Files without positions, which may have nothing to transfer yet.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{
    assert_kind, assert_same_error, block_on, join_all, park, pattern, pipe, pipe_to, read_at, until, write_at,
};
use crate::meter::Timed;
use caio_core::{NO_OFFSET, Outcome, SharedFd};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

cases!("streams":
    read_what_is_there, read_waits_for_data, read_into_waits_for_data, readv_waits_for_data, write_and_read_back,
    closed_writer_is_the_end, closed_reader_breaks_the_pipe, positions_are_refused, syncs_are_refused,
    empty_read_is_cancelled, data_after_a_cancel_is_not_lost, data_after_a_drop_is_not_lost, empty_read_times_out,
    empty_read_into_times_out, data_after_a_timeout_is_not_lost, full_write_waits, full_write_is_cancelled,
    holds_up_no_other_file, many_empty_pipes_hold_up_nobody, sockets, cancelled_with_a_full_table, ends_with_the_context,
    zero_bytes,
);

/// Fills a pipe until it takes no more, and tells how much it took.
fn fill(ctx: &crate::context::Context, writer: &SharedFd) -> usize {
    let mut filled = 0;
    loop {
        let (written, _) = block_on(ctx.write(vec![0xab; 4096], writer, NO_OFFSET).timeout(Duration::from_millis(200)));
        match written {
            Ok(bytes) => filled += bytes,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                return filled;
            }
        }
    }
}

/// What is in the pipe is read at once, as much as fits.
fn read_what_is_there(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    writer.write_all(b"0123456789").unwrap();
    assert_eq!(block_on(ctx.read(4, &reader, NO_OFFSET)).unwrap(), b"0123");
    assert_eq!(block_on(ctx.read(64, &reader, NO_OFFSET)).unwrap(), b"456789");
}

/// A read of an empty pipe ends when something is written.
fn read_waits_for_data(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    for round in 0..5 {
        let mut read = ctx.read(64, &reader, NO_OFFSET);
        park(&mut read);
        writer.write_all(&[round; 3]).unwrap();
        assert_eq!(block_on(read).unwrap(), [round; 3]);
    }
}

/// As much into a buffer of the caller's.
fn read_into_waits_for_data(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let mut read = ctx.read_into(vec![0xee; 64], &reader, NO_OFFSET);
    park(&mut read);
    writer.write_all(b"data").unwrap();
    let (read, buf) = block_on(read);
    assert_eq!((read.unwrap(), buf.as_slice()), (4, &b"data"[..]));
}

/// As much into several buffers.
fn readv_waits_for_data(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let mut read = ctx.readv(vec![vec![0xee; 3], vec![0xee; 3], vec![0xee; 3]], &reader, NO_OFFSET);
    park(&mut read);
    writer.write_all(b"data").unwrap();
    let (read, bufs) = block_on(read);
    assert_eq!(read.unwrap(), 4);
    assert_eq!(bufs, [&b"dat"[..], b"a", b""]);
}

/// Both ends of one pipe in one context.
fn write_and_read_back(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, writer) = pipe();
    let writer: SharedFd = writer.into();
    let data = pattern(300_000);
    let all = block_on(async {
        let feed = async {
            let mut done = 0;
            while done < data.len() {
                let end = (done + 10_000).min(data.len());
                let (written, _) = ctx.writev(vec![data[done..end].to_vec()], &writer, NO_OFFSET).await;
                done += written.unwrap();
            }
        };
        let take = async {
            let mut all = Vec::new();
            while all.len() < data.len() {
                all.extend(ctx.read(7000, &reader, NO_OFFSET).await.unwrap());
            }
            all
        };
        crate::kit::join(feed, take).await.1
    });
    assert!(all == data);
}

/// Once the writer is gone, a read is an Ok of nothing, also one that waits.
fn closed_writer_is_the_end(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, writer) = pipe();
    let mut read = ctx.read(64, &reader, NO_OFFSET);
    park(&mut read);
    drop(writer);
    assert_eq!(block_on(read).unwrap(), b"");
    assert_eq!(block_on(ctx.read(64, &reader, NO_OFFSET)).unwrap(), b"");
}

/// Once the reader is gone, a write fails, and no signal kills the process.
fn closed_reader_breaks_the_pipe(fixture: &Fixture) {
    let ctx = fixture.context();
    let (writer, reader) = pipe_to();
    drop(reader);
    let (written, buf) = block_on(ctx.write(b"nobody", &writer, NO_OFFSET));
    let plain = writer.file().write(b"nobody");
    assert_same_error("a write that nobody reads", written, plain);
    assert_eq!(buf, b"nobody");
}

/// A pipe has no positions.
fn positions_are_refused(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, writer) = pipe();
    let writer: SharedFd = writer.into();
    for offset in [0, 5] {
        let plain = read_at(reader.file(), &mut [0; 4], offset);
        assert_same_error("read", block_on(ctx.read(4, &reader, offset)), plain);
        let (written, buf) = block_on(ctx.write(b"data", &writer, offset));
        assert_same_error("write", written, write_at(writer.file(), b"data", offset));
        assert_eq!(buf, b"data");
    }
}

/// A pipe has no disk.
fn syncs_are_refused(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, _writer) = pipe();
    assert_same_error("fsync", block_on(ctx.fsync(&reader)), reader.file().sync_all());
    assert_same_error("fdsync", block_on(ctx.fdsync(&reader)), reader.file().sync_data());
}

/// A read that has nothing to read is cancelled, and its buffer comes back.
fn empty_read_is_cancelled(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, _writer) = pipe();
    let mut read = ctx.read_into(vec![7; 64], &reader, NO_OFFSET);
    park(&mut read);
    let Outcome::Cancelled(buf) = block_on(read.cancel()) else { panic!("it had nothing to read") };
    assert_eq!(buf.len(), 64);
    let outcome = block_on(ctx.readv(vec![vec![1], vec![2]], &reader, NO_OFFSET).submit().cancel());
    assert!(matches!(outcome, Outcome::Cancelled(bufs) if bufs.len() == 2));
    until("their room is given back", || ctx.in_flight() == 0);
}

/// What is written after a cancel is there for the next read.
fn data_after_a_cancel_is_not_lost(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    for round in 0..20 {
        let mut read = ctx.read(64, &reader, NO_OFFSET);
        park(&mut read);
        assert!(matches!(block_on(read.cancel()), Outcome::Cancelled(_)));
        writer.write_all(&[round; 5]).unwrap();
        assert_eq!(block_on(ctx.read(64, &reader, NO_OFFSET)).unwrap(), [round; 5]);
    }
}

/// What is written after a waiting read was dropped, and has gone, is there for the next read.
fn data_after_a_drop_is_not_lost(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    for round in 0..20 {
        let mut read = ctx.read(64, &reader, NO_OFFSET);
        park(&mut read);
        drop(read);
        until("its room is given back", || ctx.in_flight() == 0);
        writer.write_all(&[round; 5]).unwrap();
        assert_eq!(block_on(ctx.read(64, &reader, NO_OFFSET)).unwrap(), [round; 5]);
    }
}

/// A read that has nothing to read ends when its time is up.
fn empty_read_times_out(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, _writer) = pipe();
    for timeout in [Duration::ZERO, Duration::from_millis(30)] {
        let started = Instant::now();
        assert_kind("read", block_on(ctx.read(64, &reader, NO_OFFSET).timeout(timeout)), ErrorKind::TimedOut);
        assert!(started.elapsed() >= timeout, "not before its time");
    }
    assert_kind(
        "limited after its start",
        block_on(ctx.read(64, &reader, NO_OFFSET).submit().timeout(Duration::from_millis(10))),
        ErrorKind::TimedOut,
    );
    assert_kind(
        "submitted",
        block_on(ctx.read(64, &reader, NO_OFFSET).timeout(Duration::from_millis(10)).submit()),
        ErrorKind::TimedOut,
    );
}

/// One with a buffer of the caller's gives it back.
fn empty_read_into_times_out(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, _writer) = pipe();
    for timeout in [Duration::ZERO, Duration::from_millis(30)] {
        let (read, buf) = block_on(ctx.read_into(vec![7; 64], &reader, NO_OFFSET).timeout(timeout));
        assert_kind("read_into", read, ErrorKind::TimedOut);
        assert_eq!(buf.len(), 64);
    }
    until("their room is given back", || ctx.in_flight() == 0);
}

/// What is written after a time was up is there for the next read.
fn data_after_a_timeout_is_not_lost(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let (read, buf) = block_on(ctx.read_into(vec![7; 64], &reader, NO_OFFSET).timeout(Duration::from_millis(10)));
    assert_kind("read_into", read, ErrorKind::TimedOut);
    writer.write_all(b"late").unwrap();
    let (read, buf) = block_on(ctx.read_into(buf, &reader, NO_OFFSET));
    assert_eq!((read.unwrap(), buf.as_slice()), (4, &b"late"[..]));
}

/// A write to a full pipe waits until there is room.
fn full_write_waits(fixture: &Fixture) {
    let ctx = fixture.context();
    let (writer, mut reader) = pipe_to();
    let filled = fill(&ctx, &writer);
    let mut write = ctx.write(vec![0xcd; 100], &writer, NO_OFFSET);
    park(&mut write);
    let mut all = vec![0; filled];
    reader.read_exact(&mut all).unwrap();
    assert!(all.iter().all(|byte| *byte == 0xab));
    assert_eq!(block_on(write).0.unwrap(), 100);
    reader.read_exact(&mut all[..100]).unwrap();
    assert_eq!(all[..100], [0xcd; 100]);
}

/// A write to a full pipe is cancelled, and nothing of it is written.
fn full_write_is_cancelled(fixture: &Fixture) {
    let ctx = fixture.context();
    let (writer, mut reader) = pipe_to();
    let filled = fill(&ctx, &writer);
    let mut write = ctx.write(vec![0xcd; 100], &writer, NO_OFFSET);
    park(&mut write);
    let Outcome::Cancelled(buf) = block_on(write.cancel()) else { panic!("there was no room for it") };
    assert_eq!(buf, [0xcd; 100]);
    drop(writer);
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert_eq!(all, vec![0xab; filled]);
}

/// A read that waits for a pipe holds up no operation on another file.
fn holds_up_no_other_file(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let (reader, mut writer) = pipe();
    let fd = fixture.file("other", &pattern(5000));
    let mut read = ctx.read(64, &reader, NO_OFFSET);
    park(&mut read);
    for round in 0..100 {
        let (got, _) = block_on(ctx.read_into(vec![0; 100], &fd, round));
        assert_eq!(got.unwrap(), 100);
        assert_eq!(block_on(ctx.write(b"x", &fd, 6000 + round)).0.unwrap(), 1);
    }
    block_on(ctx.fsync(&fd)).unwrap();
    writer.write_all(b"done").unwrap();
    assert_eq!(block_on(read).unwrap(), b"done");
}

/// Many reads that wait, more than a pool has threads, hold up nobody.
fn many_empty_pipes_hold_up_nobody(fixture: &Fixture) {
    let ctx = fixture.bounded(128);
    let fd = fixture.file("other", b"data");
    let mut pipes: Vec<_> = (0..100).map(|_| pipe()).collect();
    let mut reads: Vec<_> = pipes.iter().map(|(reader, _)| ctx.read(8, reader, NO_OFFSET)).collect();
    reads.iter_mut().for_each(|read| drop(park(read)));
    for _ in 0..20 {
        assert_eq!(block_on(ctx.write(b"more", &fd, 0)).0.unwrap(), 4);
        block_on(ctx.fdsync(&fd)).unwrap();
        assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"more");
    }
    for (index, (_, writer)) in pipes.iter_mut().enumerate() {
        writer.write_all(&[index as u8]).unwrap();
    }
    for (index, read) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!(read.unwrap(), [index as u8]);
    }
}

/// A socket is a stream too.
fn sockets(fixture: &Fixture) {
    let ctx = fixture.context();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd: SharedFd = OwnedFd::from(ours).into();
    let mut read = ctx.read(64, &fd, NO_OFFSET);
    park(&mut read);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(block_on(read).unwrap(), b"hello");
    assert_eq!(block_on(ctx.write(b"goodbye", &fd, NO_OFFSET)).0.unwrap(), 7);
    let mut answer = [0; 7];
    theirs.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"goodbye");
    drop(theirs);
    assert_eq!(block_on(ctx.read(64, &fd, NO_OFFSET)).unwrap(), b"");
}

/// A full table of waiting reads can be emptied by cancels, those that wait for room included.
fn cancelled_with_a_full_table(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let (reader, _writer) = pipe();
    let reads: Vec<_> = (0..12).map(|_| ctx.read_into(vec![7; 8], &reader, NO_OFFSET).submit()).collect();
    let cancels = reads.into_iter().rev().map(Timed::cancel).collect();
    for outcome in block_on(join_all(cancels)) {
        assert!(matches!(outcome, Outcome::Cancelled(buf) if buf.len() == 8));
    }
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// Contexts that go while reads wait let go of the files.
fn ends_with_the_context(fixture: &Fixture) {
    for _ in 0..20 {
        let ctx = fixture.bounded(8);
        let (reader, _writer) = pipe();
        let mut reads: Vec<_> = (0..4).map(|_| ctx.read(64, &reader, NO_OFFSET).submit()).collect();
        drop(park(&mut reads[0]));
        drop((reads, ctx));
        let mut left = Some(reader);
        until("nobody holds the pipe", || match left.take().map(SharedFd::try_unwrap) {
            Some(Err(reader)) => {
                left = Some(reader);
                false
            }
            Some(Ok(_)) | None => true,
        });
    }
}

/// Transfers of nothing do not wait: neither for data nor for room, however they are made, and behind whatever waits.
fn zero_bytes(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, writer) = pipe();
    let writer: SharedFd = writer.into();
    let nothing = || {
        assert_eq!(block_on(ctx.read(0, &reader, NO_OFFSET)).unwrap(), b"");
        assert_eq!(block_on(ctx.read(0, &reader, NO_OFFSET).submit()).unwrap(), b"");
        assert_eq!(block_on(ctx.read_into(Vec::new(), &reader, NO_OFFSET)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.readv(vec![Vec::new(), Vec::new()], &reader, NO_OFFSET)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.readv(Vec::<Vec<u8>>::new(), &reader, NO_OFFSET)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.write(b"", &writer, NO_OFFSET)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.write(b"", &writer, NO_OFFSET).submit()).0.unwrap(), 0);
        assert_eq!(block_on(ctx.writev(vec![b"", b""], &writer, NO_OFFSET)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.writev(Vec::<Vec<u8>>::new(), &writer, NO_OFFSET)).0.unwrap(), 0);
        let mut batch = ctx.batch();
        let (read, write) = (batch.read(0, &reader, NO_OFFSET), batch.write(b"", &writer, NO_OFFSET));
        batch.submit().unwrap();
        assert_eq!(block_on(read).unwrap(), b"");
        assert_eq!(block_on(write).0.unwrap(), 0);
    };
    nothing();
    let mut waits = ctx.read(8, &reader, NO_OFFSET);
    park(&mut waits);
    nothing();
    assert!(matches!(block_on(waits.cancel()), Outcome::Cancelled(_)));
    fill(&ctx, &writer);
    nothing();
}
