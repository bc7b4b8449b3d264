//! Somebody else's event loop.

use crate::support::{direct_file, room, skip};
use caio_aio::Aio;
use caio_conformance::kit::{BLOCK, PATIENCE, pipe, within};
use caio_core::{Context, Driver};
use caio_sys::poll::{PollEvents, PollFd, poll};
use futures::executor::block_on;
use futures::future::join_all;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// A context and its driver.
fn driven() -> Option<(Context, Driver)> {
    Aio::builder().max_requests(32).build_with_driver().map_err(skip).ok()
}

/// Whether the descriptor is readable, or becomes so in time.
fn readable(driver: &Driver, timeout: Duration) -> bool {
    poll(&mut [PollFd::new(driver.as_fd(), PollEvents::IN)], Some(timeout)).unwrap() == 1
}

#[test]
fn the_descriptor_is_readable_while_completions_wait() {
    let (Some((ctx, mut driver)), Some(fd)) = (driven(), direct_file(8)) else { return };
    assert!(!readable(&driver, Duration::ZERO));
    let reads: Vec<_> = (0..8).map(|at| ctx.read_into(room(), &fd, (at * BLOCK) as u64).submit()).collect();
    for left in (0..8).rev() {
        assert!(readable(&driver, PATIENCE), "{left} wait");
        assert_eq!(driver.reap(1, 1, Some(PATIENCE)).unwrap(), 1);
        assert_eq!(ctx.in_flight(), left);
    }
    assert!(!readable(&driver, Duration::ZERO));
    for (at, (read, block)) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!((read.unwrap(), block[0]), (BLOCK, at as u8));
    }
}

#[test]
fn the_pool_reports_to_the_same_descriptor() {
    let Some((ctx, mut driver)) = driven() else { return };
    let (reader, mut writer) = pipe();
    let reads: Vec<_> = (0..4).map(|_| ctx.read(1, &reader, u64::MAX).submit()).collect();
    assert!(!readable(&driver, Duration::ZERO));
    assert_eq!(driver.reap(usize::MAX, 0, None).unwrap(), 0);
    writer.write_all(b"abcd").unwrap();
    assert!(readable(&driver, PATIENCE));
    assert_eq!(driver.reap(3, 3, Some(PATIENCE)).unwrap(), 3);
    assert!(readable(&driver, PATIENCE));
    assert_eq!(driver.reap(usize::MAX, 1, Some(PATIENCE)).unwrap(), 1);
    let mut bytes = block_on(join_all(reads)).into_iter().flat_map(Result::unwrap).collect::<Vec<_>>();
    bytes.sort_unstable();
    assert_eq!(bytes, b"abcd");
}

#[test]
fn reaping_waits_for_no_longer_than_it_may() {
    let Some((ctx, mut driver)) = driven() else { return };
    // Nothing is in flight: there is nothing to wait for.
    assert_eq!(driver.reap(8, 8, None).unwrap(), 0);
    let (reader, mut writer) = pipe();
    let read = ctx.read(1, &reader, u64::MAX).submit();
    let begun = Instant::now();
    assert_eq!(driver.reap(8, 1, Some(Duration::from_millis(20))).unwrap(), 0);
    assert!(begun.elapsed() >= Duration::from_millis(20));
    // Fewer than `min` are in flight: it waits for those.
    thread::scope(|scope| {
        scope.spawn(|| writer.write_all(b"x").unwrap());
        assert_eq!(driver.reap(8, 8, None).unwrap(), 1);
    });
    assert_eq!(block_on(read).unwrap(), b"x");
}

#[test]
fn waiting_operations_are_submitted_as_others_end() {
    let (Some((ctx, mut driver)), Some(fd)) = (driven(), direct_file(8)) else { return };
    let reads: Vec<_> = (0..100).map(|at| ctx.read_into(room(), &fd, (at % 8 * BLOCK) as u64).submit()).collect();
    let mut delivered = 0;
    while delivered < 100 {
        let now = driver.reap(7, 2, Some(PATIENCE)).unwrap();
        assert!((1..=7).contains(&now), "{now}");
        delivered += now;
    }
    for (at, (read, block)) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!((read.unwrap(), block[0]), (BLOCK, (at % 8) as u8));
    }
}

#[test]
fn no_thread_takes_completions_of_a_driven_context() {
    let (Some((ctx, mut driver)), Some(fd)) = (driven(), direct_file(1)) else { return };
    let read = ctx.read_into(room(), &fd, 0).submit();
    assert!(readable(&driver, PATIENCE));
    assert_eq!(ctx.in_flight(), 1);
    assert_eq!(driver.reap(1, 1, Some(PATIENCE)).unwrap(), 1);
    assert_eq!(block_on(read).0.unwrap(), BLOCK);
}

#[test]
fn a_driver_does_not_outwait_its_context() {
    let (Some((ctx, mut driver)), (reader, _writer)) = (driven(), pipe()) else { return };
    let read = ctx.read(1, &reader, u64::MAX).submit();
    thread::scope(|scope| {
        let reaping = scope.spawn(move || driver.reap(1, 1, None));
        // Whether it waits already or not, it ends.
        drop((read, ctx));
        reaping.join().unwrap().unwrap();
    });
}

/// Without its driver a context ends what runs, by a thread of its own, and says why it takes no
/// more.
#[test]
fn a_dropped_driver_ends_what_runs() {
    let (Some((ctx, driver)), Some(fd)) = (driven(), direct_file(8)) else { return };
    let (reader, _writer) = pipe();
    let from_pipe = ctx.read(1, &reader, u64::MAX).submit();
    let from_disk: Vec<_> = (0..8).map(|at| ctx.read_into(room(), &fd, (at * BLOCK) as u64).submit()).collect();
    drop(driver);
    within(PATIENCE, move || {
        block_on(from_pipe).expect_err("nobody has written");
        for (at, (read, block)) in block_on(join_all(from_disk)).into_iter().enumerate() {
            assert_eq!((read.unwrap(), block[0]), (BLOCK, at as u8));
        }
        assert!(block_on(ctx.read(1, &reader, u64::MAX)).unwrap_err().to_string().contains("driver"));
        block_on(ctx.close());
        assert_eq!(ctx.in_flight(), 0);
    });
}
