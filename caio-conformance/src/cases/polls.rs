//! What must not keep a caller: however much is asked for, a poll, a drop or a submission is short.

use super::cases;
use crate::context::Context;
use crate::fixture::{Fixture, skip};
use crate::kit::{block_on, join_all, park, pattern, pipe, poll_once};
use crate::stopwatch::Stopwatch;
use caio_core::{NO_OFFSET, SharedFd};
use std::fs::File;
use std::future::Future;
use std::thread;
use std::time::Duration;

cases!("polls":; alone:
    long_read_of_a_device, long_read_of_a_file, long_write_to_a_file, large_batch_of_reads, large_batch_beside_a_poll,
    drop_with_many_writes, cancel_beside_a_long_read, many_that_wait,
);

/// What a call may take on a machine where others work as well: what this is about takes ten times as long.
const SHORT: Duration = Duration::from_millis(25);

/// A call that is short, in one of three runs at least.
fn assert_short(what: &str, mut call: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.len() < 3 {
        let time = call();
        if time < SHORT {
            return;
        }
        times.push(time);
    }
    panic!("{what} took {times:?}");
}

/// The longest poll of an operation, until it ends.
fn longest_poll<F: Future + Unpin>(future: &mut F) -> Duration {
    let mut longest = Duration::ZERO;
    loop {
        let watch = Stopwatch::start();
        // What it gives may be large, and slow to free.
        let polled = poll_once(future);
        longest = longest.max(watch.elapsed());
        if polled.is_ready() {
            return longest;
        }
        thread::yield_now();
    }
}

/// A device that has no end fills a large buffer somewhere else.
fn long_read_of_a_device(fixture: &Fixture) {
    fixture.needs_short_calls();
    let ctx = fixture.context();
    let random: SharedFd = File::open("/dev/urandom").unwrap_or_else(|error| skip(error.to_string())).into();
    assert_short("a poll", || longest_poll(&mut ctx.read(16 << 20, &random, NO_OFFSET)));
    let zero: SharedFd = File::open("/dev/zero").unwrap_or_else(|error| skip(error.to_string())).into();
    assert_short("a poll", || longest_poll(&mut ctx.read(128 << 20, &zero, 0)));
}

/// A long read of what is cached is done piece by piece, or somewhere else.
fn long_read_of_a_file(fixture: &Fixture) {
    fixture.needs_short_calls();
    let ctx = fixture.context();
    let fd = fixture.file("long", &pattern(1 << 20).repeat(16));
    assert_short("a poll", || longest_poll(&mut ctx.read(16 << 20, &fd, 0)));
    assert_short("a poll", || longest_poll(&mut ctx.read(16 << 20, &fd, 0).submit()));
}

/// So is a long write.
fn long_write_to_a_file(fixture: &Fixture) {
    fixture.needs_short_calls();
    let ctx = fixture.context();
    let fd = fixture.file("long", b"");
    assert_short("a poll", || {
        let data = vec![1; 32 << 20];
        longest_poll(&mut ctx.write(data, &fd, 0))
    });
}

/// How long a batch of cached reads takes to submit.
fn submit_batch(ctx: &Context, fd: &SharedFd) -> Duration {
    const LEN: usize = 64 << 10;
    let mut batch = ctx.batch();
    let reads = (0..4096).map(|index| batch.read(LEN, fd, index % 16 * LEN as u64)).collect();
    let watch = Stopwatch::start();
    batch.submit().expect("a batch");
    let time = watch.elapsed();
    for read in block_on(join_all(reads)) {
        assert_eq!(read.expect("a read").len(), LEN);
    }
    time
}

/// A large batch of reads that are cached copies them somewhere else.
fn large_batch_of_reads(fixture: &Fixture) {
    fixture.needs_short_calls();
    let ctx = fixture.bounded(8192);
    let fd = fixture.file("cached", &pattern(1 << 20));
    assert_short("a batch's submission", || submit_batch(&ctx, &fd));
}

/// While one thread submits such batches, another's polls do not wait for it.
fn large_batch_beside_a_poll(fixture: &Fixture) {
    fixture.needs_short_calls();
    let ctx = fixture.bounded(8192);
    let fd = fixture.file("cached", &pattern(1 << 20));
    let other = fixture.file("other", b"data");
    assert_short("a poll beside it", || {
        thread::scope(|scope| {
            let batches = scope.spawn(|| submit_batch(&ctx, &fd));
            let mut longest = Duration::ZERO;
            while !batches.is_finished() {
                longest = longest.max(longest_poll(&mut ctx.fdsync(&other)));
            }
            longest
        })
    });
}

/// A context that goes with many writes that nobody awaits, behind one that lasts, is not waited for.
fn drop_with_many_writes(fixture: &Fixture) {
    fixture.needs_short_calls();
    let fd = fixture.file("writes", b"");
    // Nobody frees it, which takes a while.
    let long: &'static [u8] = Vec::leak(vec![1; 128 << 20]);
    assert_short("a drop", || {
        let ctx = fixture.bounded(32_768);
        let first = ctx.write(long, &fd, 0).submit();
        let writes: Vec<_> = (0..30_000).map(|index| ctx.write(vec![1; 16], &fd, index * 16)).collect();
        writes.into_iter().for_each(|write| drop(write.submit()));
        drop(first);
        let watch = Stopwatch::start();
        drop(ctx);
        watch.elapsed()
    });
}

/// A cancel waits for no read of another file.
fn cancel_beside_a_long_read(fixture: &Fixture) {
    fixture.needs_short_calls();
    let ctx = fixture.context();
    let random: SharedFd = File::open("/dev/urandom").unwrap_or_else(|error| skip(error.to_string())).into();
    let (reader, _writer) = pipe();
    assert_short("a cancel", || {
        let mut long = ctx.read(16 << 20, &random, NO_OFFSET);
        let polled = thread::scope(|scope| {
            let polling = scope.spawn(|| longest_poll(&mut long));
            let mut longest = Duration::ZERO;
            while !polling.is_finished() {
                let mut read = ctx.read(1, &reader, NO_OFFSET);
                park(&mut read);
                let watch = Stopwatch::start();
                drop(read.cancel());
                longest = longest.max(watch.elapsed());
            }
            longest
        });
        drop(long);
        polled
    });
}

/// Thousands that wait, on as many files as a process usually may have, are given up at once.
fn many_that_wait(fixture: &Fixture) {
    fixture.needs_short_calls();
    let ctx = fixture.bounded(4096);
    let pipes: Vec<_> = (0..200).map(|_| pipe()).collect();
    assert_short("a drop of 4,000 reads", || {
        let each = (0..20).flat_map(|_| &pipes);
        let reads: Vec<_> = each.map(|(reader, _)| ctx.read(8, reader, NO_OFFSET).submit()).collect();
        let watch = Stopwatch::start();
        drop(reads);
        let time = watch.elapsed();
        crate::kit::until("they have ended", || ctx.in_flight() == 0);
        // Each drop is a call of its own.
        time / 4000
    });
}
