//! Transfers at a file's own position: each byte once, whoever asks, and nobody waits in a poll for another's.

use super::cases;
use crate::context::Context;
use crate::fixture::{Fixture, skip};
use crate::kit::{BLOCK, block_on, join_all, open_direct, poll_once, until};
use crate::stopwatch::Stopwatch;
use caio_core::{AlignedBuf, NO_OFFSET, SharedFd};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

cases!("position":
    writes_at_once, reads_at_once, direct_writes_at_once, direct_reads_at_once, two_contexts_write, two_contexts_read,
    vectored_at_once, in_a_batch, beside_offsets, given_up_ones_move_it_or_not;
    alone: poll_does_not_wait_for_a_transfer, poll_does_not_wait_for_a_lock,
);

/// How many transfers are under way at a time.
const MANY: usize = 16;

/// A block full of one number.
fn block(number: usize) -> AlignedBuf {
    let mut block = AlignedBuf::new(BLOCK, BLOCK);
    block.extend_from_slice(&[number as u8; BLOCK]);
    block
}

/// An `O_DIRECT` file with this content.
fn direct(fixture: &Fixture, content: &[u8]) -> SharedFd {
    fixture.file("file", content).file().sync_all().expect("a sync");
    open_direct(&fixture.path("file")).unwrap_or_else(|error| skip(format!("no O_DIRECT here: {error}")))
}

/// Blocks with the numbers from 0 on.
fn blocks() -> Vec<u8> {
    (0..MANY).flat_map(|number| [number as u8; BLOCK]).collect()
}

/// The content is a block of each number, in some order.
fn assert_each_once(content: &[u8]) {
    assert_eq!(content.len(), MANY * BLOCK, "each write made the file longer by a block");
    let mut numbers: Vec<_> = content.chunks(BLOCK).map(|block| block[0]).collect();
    assert!(content.chunks(BLOCK).all(|block| block.iter().all(|byte| *byte == block[0])), "a block is torn");
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..MANY as u8), "not each block was transferred once: {numbers:?}");
}

/// Writes all blocks at once; `ctx` tells which context writes which.
fn write_all<'a>(fixture: &Fixture, fd: &SharedFd, ctx: impl Fn(usize) -> &'a Context) {
    let writes = (0..MANY).map(|number| ctx(number).write(block(number), fd, NO_OFFSET).submit()).collect();
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.expect("a write"), BLOCK);
    }
    assert_each_once(&fixture.content("file"));
    assert_eq!(fd.file().stream_position().expect("a position"), (MANY * BLOCK) as u64);
}

/// Reads all blocks at once; `ctx` tells which context reads which.
fn read_all<'a>(fd: &SharedFd, ctx: impl Fn(usize) -> &'a Context) {
    let room = || AlignedBuf::new(BLOCK, BLOCK);
    let reads = (0..MANY).map(|number| ctx(number).read_into(room(), fd, NO_OFFSET).submit()).collect();
    let mut content = Vec::new();
    for (read, block) in block_on(join_all(reads)) {
        assert_eq!(read.expect("a read"), BLOCK);
        content.extend_from_slice(&block);
    }
    assert_each_once(&content);
    assert_eq!(block_on(ctx(0).read_into(room(), fd, NO_OFFSET)).0.expect("a read at the end"), 0);
}

/// Concurrent writes follow each other.
fn writes_at_once(fixture: &Fixture) {
    let ctx = fixture.context();
    write_all(fixture, &fixture.file("file", b""), |_| &ctx);
}

/// Concurrent reads follow each other.
fn reads_at_once(fixture: &Fixture) {
    let ctx = fixture.context();
    read_all(&fixture.file("file", &blocks()), |_| &ctx);
}

/// So do writes with `O_DIRECT`.
fn direct_writes_at_once(fixture: &Fixture) {
    let ctx = fixture.context();
    write_all(fixture, &direct(fixture, b""), |_| &ctx);
}

/// So do reads with `O_DIRECT`.
fn direct_reads_at_once(fixture: &Fixture) {
    let ctx = fixture.context();
    read_all(&direct(fixture, &blocks()), |_| &ctx);
}

/// So do the writes of two contexts.
fn two_contexts_write(fixture: &Fixture) {
    let contexts = [fixture.context(), fixture.bounded(2)];
    write_all(fixture, &direct(fixture, b""), |number| &contexts[number % 2]);
}

/// So do the reads of two contexts.
fn two_contexts_read(fixture: &Fixture) {
    let contexts = [fixture.context(), fixture.bounded(2)];
    read_all(&direct(fixture, &blocks()), |number| &contexts[number % 2]);
}

/// So do vectored ones.
fn vectored_at_once(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, b"");
    let writes = (0..MANY).map(|number| ctx.writev(halves(number), &fd, NO_OFFSET).submit()).collect();
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.expect("a write"), BLOCK);
    }
    assert_each_once(&fixture.content("file"));
}

/// A block in two buffers, each of which `O_DIRECT` takes.
fn halves(number: usize) -> Vec<AlignedBuf> {
    let half = || {
        let mut half = AlignedBuf::new(BLOCK / 2, BLOCK);
        half.extend_from_slice(&[number as u8; BLOCK / 2]);
        half
    };
    vec![half(), half()]
}

/// So do those of a batch.
fn in_a_batch(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, b"");
    let mut batch = ctx.batch();
    let writes = (0..MANY).map(|number| batch.write(block(number), &fd, NO_OFFSET)).collect();
    batch.submit().expect("a batch");
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.expect("a write"), BLOCK);
    }
    assert_each_once(&fixture.content("file"));
}

/// Transfers at offsets meanwhile do not move it.
fn beside_offsets(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, &blocks());
    let room = || AlignedBuf::new(BLOCK, BLOCK);
    let own: Vec<_> = (0..MANY).map(|_| ctx.read_into(room(), &fd, NO_OFFSET).submit()).collect();
    let others = (0..MANY).map(|number| ctx.read_into(room(), &fd, (number * BLOCK) as u64)).collect();
    for (number, (read, block)) in block_on(join_all(others)).into_iter().enumerate() {
        assert_eq!((read.expect("a read"), block[0]), (BLOCK, number as u8));
    }
    let mut content = Vec::new();
    for (_, block) in block_on(join_all(own)) {
        content.extend_from_slice(&block);
    }
    assert_each_once(&content);
}

/// Of writes that are cancelled those that say they have written are in the file, one after the other.
fn given_up_ones_move_it_or_not(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let fd = direct(fixture, b"");
    let writes = (0..MANY).map(|number| ctx.write(block(number), &fd, NO_OFFSET).submit());
    let cancels = writes.map(crate::meter::Timed::cancel).collect();
    let outcomes = block_on(join_all(cancels));
    let written = outcomes.iter().filter(|outcome| matches!(outcome, caio_core::Outcome::Completed(Ok(BLOCK), _)));
    let written = written.count();
    until("all has ended", || ctx.in_flight() == 0);
    assert_eq!(fixture.content("file").len(), written * BLOCK);
}

/// How long first polls take while a thread reads the file from its position on, again and again, as `std` does. The middle one
/// counts, because a machine has more to do.
fn polls_beside_a_long_read(fixture: &Fixture, offset: u64) -> Duration {
    let ctx = fixture.context();
    block_on(ctx.fsync(&fixture.file("other", b""))).expect("its threads are there");
    let file = fixture.file("large", b"");
    file.file().set_len(256 << 20).expect("a large hole");
    let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buf = vec![0; 128 << 20];
            while !stop.load(Ordering::Relaxed) {
                file.file().seek(SeekFrom::Start(0)).expect("a position");
                file.file().read_exact(&mut buf).expect("a read");
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        until("the other has begun", || rounds.load(Ordering::Relaxed) > 0);
        let in_a_transfer = || {
            let before = rounds.load(Ordering::Relaxed);
            until("the other goes on", || rounds.load(Ordering::Relaxed) > before);
            thread::sleep(Duration::from_millis(2));
        };
        let poll = |_| {
            in_a_transfer();
            first_poll(&ctx, file.file(), offset)
        };
        let mut polls: Vec<_> = (0..7).map(poll).collect();
        stop.store(true, Ordering::Relaxed);
        polls.sort_unstable();
        polls[polls.len() / 2]
    })
}

/// How long the first poll of a read takes, of a file that the library sees for the first time and whose position is shared.
fn first_poll(ctx: &Context, file: &File, offset: u64) -> Duration {
    let fd: SharedFd = file.try_clone().expect("a clone").into();
    let mut read = ctx.read(4096, &fd, offset);
    let watch = Stopwatch::start();
    let ended = poll_once(&mut read).is_ready();
    let time = watch.elapsed();
    if !ended {
        block_on(read).expect("a read");
    }
    time
}

/// A first poll of a read at an offset waits for nobody who uses the position.
fn poll_does_not_wait_for_a_transfer(fixture: &Fixture) {
    let middle = polls_beside_a_long_read(fixture, 4096);
    assert!(middle < Duration::from_millis(5), "polls take {middle:?}");
}

/// Nor does the first poll of a read at the position itself: a worker waits.
fn poll_does_not_wait_for_a_lock(fixture: &Fixture) {
    let middle = polls_beside_a_long_read(fixture, NO_OFFSET);
    assert!(middle < Duration::from_millis(5), "polls take {middle:?}");
}
