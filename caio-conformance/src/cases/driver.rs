//! A driver, which alone takes the completions of its context.

use super::cases;
use crate::context::Context;
use crate::fixture::Fixture;
use crate::kit::{BLOCK, PATIENCE, block_on, join_all, open_direct, park, pattern, pipe, poll_once, until};
use caio_core::{AlignedBuf, Driver, NO_OFFSET, Outcome, SharedFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

cases!("driver":
    reap_is_told_what_ends_elsewhere, reap_waits_no_longer_than_it_may, reap_gives_no_more_than_asked,
    descriptor_is_readable_while_completions_wait, reap_after_its_context, dropped_with_reads_that_wait,
    dropped_with_transfers_in_flight, dropped_before_anything, dropped_before_a_close, dropped_during_a_close,
    several_threads_of_work;
    alone: child_reaps, child_drops_it,
);

/// Whether the driver's descriptor becomes readable in time.
fn is_readable(driver: &Driver, time: Duration) -> bool {
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) as _ };
    let mut fds = [PollFd::new(driver, PollFlags::IN)];
    poll(&mut fds, Some(&time)).expect("a poll") == 1
}

/// Nothing has ended, so that it is not readable, or no more once it was reaped.
fn until_quiet(driver: &mut Driver) {
    until("it is not readable", || {
        assert_eq!(driver.reap(8, 0, None).expect("a reap"), 0);
        !is_readable(driver, Duration::ZERO)
    });
}

/// Works while a thread reaps without a time limit. When the work has ended, so does what the reaper waits for.
fn beside_a_reaper(ctx: &Context, driver: &mut Driver, work: impl FnOnce(&Context)) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let reaper = scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                driver.reap(16, 1, None).expect("it reaps");
            }
        });
        work(ctx);
        until("all has ended", || ctx.in_flight() == 0 && ctx.queued() == 0);
        stop.store(true, Ordering::SeqCst);
        until("the reaper ends, with nothing in flight", || reaper.is_finished());
    });
}

/// A reap that waits for one ends although what it waits for ends in a caller's stack, is taken back, or is given up.
fn reap_is_told_what_ends_elsewhere(fixture: &Fixture) {
    let (ctx, mut driver) = fixture.driven(8);
    let fd = fixture.file("content", &pattern(10_000));
    let read_only = SharedFd::from(File::open(fixture.path("content")).expect("the file"));
    let (reader, mut writer) = pipe();
    let (ended, _) = pipe();
    let mut direct = open_direct(&fixture.path("content")).ok();
    let mut each = |what: &mut dyn FnMut(&Context, u64)| {
        for round in 0..30 {
            beside_a_reaper(&ctx, &mut driver, |ctx| (0..10).for_each(|turn| what(ctx, round * 10 + turn)));
        }
    };
    each(&mut |ctx, round| drop(block_on(ctx.read(100, &fd, round)).expect("a read")));
    each(&mut |ctx, round| drop(block_on(ctx.read(100, &fd, round).submit()).expect("a read")));
    each(&mut |ctx, _| {
        writer.write_all(b"x").expect("room");
        assert_eq!(block_on(ctx.read(1, &reader, NO_OFFSET).submit()).expect("a read"), b"x");
    });
    each(&mut |ctx, _| assert_eq!(block_on(ctx.read(1, &ended, NO_OFFSET).submit()).expect("a read"), b""));
    each(&mut |ctx, _| drop(block_on(ctx.write(b"x", &read_only, 0).submit()).0.unwrap_err()));
    each(&mut |ctx, _| drop(block_on(ctx.read(1, &reader, NO_OFFSET).submit().cancel())));
    each(&mut |ctx, _| drop(ctx.read(1, &reader, NO_OFFSET).submit()));
    each(&mut |ctx, round| drop(ctx.read(100, &fd, round).submit()));
    each(&mut |ctx, _| block_on(ctx.fsync(&fd)).expect("a sync"));
    if let Some(fd) = direct.take() {
        let room = || AlignedBuf::new(BLOCK, BLOCK);
        each(&mut |ctx, _| assert_eq!(block_on(ctx.read_into(room(), &fd, 0)).0.expect("a read"), BLOCK));
        each(&mut |ctx, _| drop(ctx.read_into(room(), &fd, 0).submit()));
    }
}

/// A reap waits as long as it may, and no longer.
fn reap_waits_no_longer_than_it_may(fixture: &Fixture) {
    let (ctx, mut driver) = fixture.driven(8);
    assert_eq!(driver.reap(8, 8, None).expect("nothing is in flight"), 0);
    let (reader, mut writer) = pipe();
    let read = ctx.read(1, &reader, NO_OFFSET).submit();
    let begun = Instant::now();
    assert_eq!(driver.reap(8, 1, Some(Duration::from_millis(20))).expect("a reap"), 0);
    assert!(begun.elapsed() >= Duration::from_millis(20), "it ended before its time");
    thread::scope(|scope| {
        scope.spawn(|| writer.write_all(b"x").expect("room"));
        assert_eq!(driver.reap(8, 8, None).expect("fewer than 8 are in flight"), 1);
    });
    assert_eq!(block_on(read).expect("a read"), b"x");
}

/// A reap gives no more than asked; what is left can be had by the next.
fn reap_gives_no_more_than_asked(fixture: &Fixture) {
    let (ctx, mut driver) = fixture.driven(16);
    let (reader, mut writer) = pipe();
    let reads: Vec<_> = (0..8).map(|_| ctx.read(1, &reader, NO_OFFSET).submit()).collect();
    assert_eq!(driver.reap(usize::MAX, 0, None).expect("a reap"), 0);
    writer.write_all(b"01234567").expect("room");
    let mut reaped = 0;
    while reaped < 8 {
        let now = driver.reap(3, 1, Some(PATIENCE)).expect("a reap");
        assert!((1..=3).contains(&now), "{now} of 3 were reaped");
        reaped += now;
    }
    let mut read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(Result::unwrap).collect();
    read.sort_unstable();
    assert_eq!(read, b"01234567");
}

/// The descriptor is readable as long as completions wait, and only then.
fn descriptor_is_readable_while_completions_wait(fixture: &Fixture) {
    let (ctx, mut driver) = fixture.driven(16);
    let (reader, mut writer) = pipe();
    let reads: Vec<_> = (0..4).map(|_| ctx.read(1, &reader, NO_OFFSET).submit()).collect();
    until_quiet(&mut driver);
    writer.write_all(b"0123").expect("room");
    let mut left = 4;
    while left > 0 {
        assert!(is_readable(&driver, PATIENCE), "{left} wait");
        left -= driver.reap(1, 0, None).expect("a reap");
    }
    until_quiet(&mut driver);
    drop(block_on(join_all(reads)));
}

/// A reap waits for no context that is gone.
fn reap_after_its_context(fixture: &Fixture) {
    let (ctx, mut driver) = fixture.driven(8);
    let (reader, _writer) = pipe();
    let mut read = ctx.read(1, &reader, NO_OFFSET);
    park(&mut read);
    thread::scope(|scope| {
        let reaper = scope.spawn(move || while driver.reap(1, 1, None).expect("a reap") != 0 {});
        drop((read, ctx));
        until("the reaper ends", || reaper.is_finished());
    });
}

/// Reads that wait end, with an error, and so do those that come later.
fn dropped_with_reads_that_wait(fixture: &Fixture) {
    let (ctx, driver) = fixture.driven(8);
    let (reader, _writer) = pipe();
    let mut parked = ctx.read_into(vec![7; 8], &reader, NO_OFFSET);
    park(&mut parked);
    let submitted: Vec<_> = (0..20).map(|_| ctx.read(8, &reader, NO_OFFSET).submit()).collect();
    let to_cancel = ctx.read(8, &reader, NO_OFFSET).submit();
    drop(driver);
    let (read, buf) = block_on(parked);
    assert_eq!((read.expect_err("nobody takes its completion").kind(), buf.len()), (std::io::ErrorKind::Other, 8));
    block_on(join_all(submitted)).into_iter().for_each(|read| drop(read.unwrap_err()));
    drop(block_on(to_cancel.cancel()));
    assert_kind_of_later(&ctx, fixture);
    until("nothing is in flight", || ctx.in_flight() == 0 && ctx.queued() == 0);
}

/// What comes after the driver has gone ends with an error that names it.
fn assert_kind_of_later(ctx: &Context, fixture: &Fixture) {
    let fd = fixture.file("later", b"data");
    let error = block_on(ctx.fsync(&fd)).expect_err("nobody would take its completion");
    assert!(error.to_string().contains("driver"), "it does not say why: {error}");
    let (reader, _writer) = pipe();
    let error = block_on(ctx.read(8, &reader, NO_OFFSET)).expect_err("nobody would take its completion");
    assert!(error.to_string().contains("driver"), "it does not say why: {error}");
}

/// Transfers in flight end; whatever they say, the file agrees.
fn dropped_with_transfers_in_flight(fixture: &Fixture) {
    let (ctx, driver) = fixture.driven(8);
    let fd = fixture.file("file", &[0; 64]);
    let writes: Vec<_> = (0..64).map(|index| ctx.write(vec![0xff], &fd, index).submit()).collect();
    let syncs: Vec<_> = (0..8).map(|_| ctx.fsync(&fd).submit()).collect();
    drop(driver);
    let results = block_on(join_all(writes));
    drop(block_on(join_all(syncs)));
    for (index, ((written, buf), byte)) in results.into_iter().zip(fixture.content("file")).enumerate() {
        assert_eq!(buf, [0xff]);
        if written.is_ok() {
            assert_eq!(byte, 0xff, "write {index} says that it has written");
        }
    }
    until("nothing is in flight", || ctx.in_flight() == 0 && ctx.queued() == 0);
}

/// A context whose driver has never been used takes nothing.
fn dropped_before_anything(fixture: &Fixture) {
    let (ctx, driver) = fixture.driven(8);
    drop(driver);
    assert_kind_of_later(&ctx, fixture);
    block_on(ctx.close());
}

/// A close ends although nobody takes completions.
fn dropped_before_a_close(fixture: &Fixture) {
    let (ctx, driver) = fixture.driven(8);
    let (reader, _writer) = pipe();
    let fd = fixture.file("file", b"data");
    let _reads: Vec<_> = (0..4).map(|_| ctx.read(8, &reader, NO_OFFSET).submit()).collect();
    let _writes: Vec<_> = (0..4).map(|index| ctx.write(b"x", &fd, index).submit()).collect();
    drop(driver);
    block_on(ctx.close());
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

/// So does one that waits already.
fn dropped_during_a_close(fixture: &Fixture) {
    let (ctx, driver) = fixture.driven(8);
    let fd = fixture.file("file", b"data");
    let writes: Vec<_> = (0..30).map(|index| ctx.write(b"x", &fd, index).submit()).collect();
    let mut close = ctx.close();
    assert!(poll_once(&mut close).is_pending(), "nobody takes completions");
    drop(driver);
    block_on(close);
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
    drop(writes);
}

/// Several threads work while one reaps.
fn several_threads_of_work(fixture: &Fixture) {
    let (ctx, mut driver) = fixture.driven(4);
    let fd = fixture.file("shared", &pattern(10_000));
    beside_a_reaper(&ctx, &mut driver, |ctx| {
        thread::scope(|scope| {
            for index in 0..4_u64 {
                let fd = &fd;
                scope.spawn(move || {
                    let (reader, mut writer) = pipe();
                    for round in 0..100 {
                        let place = 10_000 + index * 10;
                        assert_eq!(block_on(ctx.write(vec![round; 10], fd, place)).0.expect("a write"), 10);
                        block_on(ctx.fdsync(fd)).expect("a sync");
                        assert_eq!(block_on(ctx.read(10, fd, place)).expect("a read"), [round; 10]);
                        let read = ctx.read(1, &reader, NO_OFFSET).submit();
                        writer.write_all(&[round]).expect("room");
                        assert_eq!(block_on(read).expect("a read"), [round]);
                        let outcome = block_on(ctx.read(1, &reader, NO_OFFSET).submit().cancel());
                        assert!(matches!(outcome, Outcome::Cancelled(_)), "{outcome:?}");
                    }
                });
            }
        });
    });
}

/// In a child a reap is refused, and the parent's driver works on.
fn child_reaps(fixture: &Fixture) {
    let (ctx, mut driver) = fixture.driven(8);
    let (reader, mut writer) = pipe();
    let read = ctx.read(1, &reader, NO_OFFSET).submit();
    crate::kit::in_child(|| driver.reap(8, 1, None).is_err() && driver.reap(8, 0, None).is_err());
    writer.write_all(b"x").expect("room");
    assert_eq!(driver.reap(8, 1, Some(PATIENCE)).expect("a reap"), 1);
    assert_eq!(block_on(read).expect("a read"), b"x");
}

/// In a child it can be dropped, and the parent's works on.
fn child_drops_it(fixture: &Fixture) {
    let (ctx, driver) = fixture.driven(8);
    let (reader, mut writer) = pipe();
    let read = ctx.read(1, &reader, NO_OFFSET).submit();
    let mut kept = Some(driver);
    crate::kit::in_child(|| {
        drop(kept.take());
        true
    });
    writer.write_all(b"x").expect("room");
    let mut driver = kept.expect("the parent's");
    assert_eq!(driver.reap(8, 1, Some(PATIENCE)).expect("a reap"), 1);
    assert_eq!(block_on(read).expect("a read"), b"x");
}
