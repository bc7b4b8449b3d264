//! An external event loop takes the completions.

use crate::support::{BLOCK, builder, file, queued_file, ring};
use caio_conformance::kit::{alone, in_child, pipe, until, within};
use caio_core::{AlignedBuf, Driver, NO_OFFSET};
use caio_sys::poll::{PollEvents, PollFd, poll};
use caio_uring::{Route, Routes};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;
use std::io::Write;
use std::time::{Duration, Instant};

/// Whether the driver's descriptor is readable.
fn is_readable(driver: &Driver) -> bool {
    poll(&mut [PollFd::new(driver.as_fd(), PollEvents::IN)], Some(Duration::ZERO)).expect("a poll") == 1
}

#[test]
fn no_thread_of_ours_takes_them() {
    let Some(builder) = ring() else { return };
    let (ctx, mut driver) = builder.build_with_driver().expect("a context");
    let (reader, mut writer) = pipe();
    let mut read = ctx.read(8, &reader, NO_OFFSET);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(5) {
        assert!((&mut read).now_or_never().is_none());
    }
    assert_eq!(driver.reap(usize::MAX, 0, None).expect("nothing is there"), 0);
    writer.write_all(b"x").expect("a write");
    until("it is readable", || is_readable(&driver));
    assert_eq!(ctx.in_flight(), 1, "nobody has taken it");
    assert_eq!(driver.reap(usize::MAX, 1, None).expect("a completion"), 1);
    assert_eq!(block_on(read).expect("a read"), b"x");
}

#[test]
fn it_waits_for_as_many_as_it_is_told_but_not_for_more_than_there_are() {
    let Some(builder) = ring() else { return };
    let (ctx, mut driver) = builder.build_with_driver().expect("a context");
    let fd = file(&[1; 64]);
    let reads: Vec<_> = (0..10).map(|_| ctx.read(8, &fd, 0).submit()).collect();
    assert_eq!(within(Duration::from_secs(10), move || driver.reap(usize::MAX, 1000, None)).expect("completions"), 10);
    block_on(join_all(reads)).into_iter().for_each(|read| assert_eq!(read.expect("a read").len(), 8));
}

#[test]
fn it_waits_no_longer_than_it_is_told() {
    let Some(builder) = ring() else { return };
    let (ctx, mut driver) = builder.build_with_driver().expect("a context");
    let (reader, _writer) = pipe();
    let _read = ctx.read(8, &reader, NO_OFFSET).submit();
    let begun = Instant::now();
    assert_eq!(driver.reap(usize::MAX, 1, Some(Duration::from_millis(30))).expect("no error"), 0);
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

/// Takes one completion at a time, of reads through the ring and writes through the pool.
fn one_at_a_time(reads: u64, writes: u64) {
    let mut routes = Routes::all(Route::Ring);
    routes.writes = Route::Pool;
    let Some(builder) = builder(routes) else { return };
    let (ctx, mut driver) = builder.build_with_driver().expect("a context");
    let fd = file(&[1; 64]);
    let started = (0..reads).map(|_| ctx.read(8, &fd, 0).submit()).collect::<Vec<_>>();
    let written = (0..writes).map(|_| ctx.write(b"1", &fd, 32).submit()).collect::<Vec<_>>();
    let mut delivered = 0;
    while delivered < reads + writes {
        until("it is readable", || is_readable(&driver));
        let now = driver.reap(1, 0, None).expect("completions");
        assert!(now <= 1, "{now} delivered where one was allowed");
        delivered += now as u64;
    }
    assert_eq!(ctx.in_flight(), 0);
    block_on(join_all(started)).into_iter().for_each(|read| assert_eq!(read.expect("a read").len(), 8));
    block_on(join_all(written)).into_iter().for_each(|write| assert_eq!(write.0.expect("a write"), 1));
}

#[test]
fn it_stays_readable_while_something_is_left_behind() {
    one_at_a_time(5, 0);
    one_at_a_time(0, 5);
    one_at_a_time(5, 5);
}

#[test]
fn what_runs_ends_although_its_driver_is_gone() {
    let Some(builder) = ring() else { return };
    let (ctx, driver) = builder.build_with_driver().expect("a context");
    let (reader, writer) = pipe();
    drop(ctx.read(8, &reader, NO_OFFSET).submit());
    drop((driver, ctx, reader));
    until("nobody reads the pipe", || {
        let mut end = [PollFd::new(std::os::fd::AsFd::as_fd(&writer), PollEvents::OUT)];
        poll(&mut end, Some(Duration::ZERO)).expect("a poll");
        end[0].ready().contains(PollEvents::ERR)
    });
}

/// The child's copy of a driver takes nothing, and its end disturbs nobody.
#[test]
fn a_child_drops_its_copy_of_a_driver() {
    alone("driver::a_child_drops_its_copy_of_a_driver", || {
        let Some(builder) = ring() else { return };
        let (ctx, driver) = builder.build_with_driver().expect("a context");
        let fd = file(b"content");
        let (read, waiting) = (ctx.read(7, &fd, 0).submit(), ctx.read(7, &fd, 0));
        let (mut driver, mut waiting) = (Some(driver), Some(waiting));
        in_child(|| {
            let reaped = driver.as_mut().is_some_and(|driver| driver.reap(8, 0, None).is_err());
            drop(driver.take());
            reaped && waiting.take().is_some_and(|read| block_on(read).is_err())
        });
        let mut driver = driver.expect("the parent's");
        assert_eq!(driver.reap(8, 1, Some(Duration::from_secs(10))).expect("completions"), 1);
        assert_eq!(block_on(read).expect("a read"), b"content");
    });
}

/// Without its driver a context ends what runs, by a thread of its own, and says why it takes no
/// more.
#[test]
fn a_dropped_driver_ends_what_runs() {
    let mut routes = Routes::all(Route::Ring);
    routes.writes = Route::Pool;
    let (Some(builder), Some(fd)) = (builder(routes), queued_file(1 << 20)) else { return };
    let (ctx, driver) = builder.build_with_driver().expect("a context");
    let (reader, _writer) = pipe();
    let from_pipe = ctx.read(8, &reader, NO_OFFSET).submit();
    let from_disk: Vec<_> = (0..64).map(|_| ctx.read_into(AlignedBuf::new(1 << 20, BLOCK), &fd, 0).submit()).collect();
    let to_cache = ctx.write(vec![1; 1 << 20], &file(b""), 0).submit();
    drop(driver);
    within(Duration::from_secs(30), move || {
        block_on(from_pipe).expect_err("nobody has written");
        block_on(to_cache).0.ok();
        for (read, buf) in block_on(join_all(from_disk)) {
            if read.is_ok() {
                assert!(buf.len() == 1 << 20 && buf.iter().all(|byte| *byte == 7));
            }
        }
        assert!(block_on(ctx.read(8, &reader, NO_OFFSET)).expect_err("no driver").to_string().contains("driver"));
        block_on(ctx.close());
        assert_eq!(ctx.in_flight(), 0);
    });
}
