//! Giving requests to the kernel: many at once, a prefix, none, and from many threads.

use crate::support::{block_of, context, direct_file, room};
use caio_aio::Routes;
use caio_conformance::kit::{
    BLOCK, disk_file,
    seccomp::{Refused, refuse_or_skip},
};
use caio_conformance::test_dir;
use caio_core::{SharedFd, errno};
use futures::executor::block_on;
use futures::future::join_all;
use std::thread;

#[test]
fn a_batch_of_many_is_taken() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 128), direct_file(8)) else { return };
    let mut batch = ctx.batch();
    let reads: Vec<_> = (0..100).map(|at| batch.read_into(room(), &fd, (at % 8 * BLOCK) as u64)).collect();
    batch.submit().unwrap();
    for (at, (read, block)) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!((read.unwrap(), block[0]), (BLOCK, (at % 8) as u8));
    }
    assert_eq!((ctx.stats().inline, ctx.stats().fallback), (0, 0));
}

#[test]
fn of_a_batch_the_rejected_one_alone_fails() {
    let (Some(ctx), Some(fd)) = (context(Routes::Kernel, 64), direct_file(8)) else { return };
    let file = tempfile::NamedTempFile::new_in(test_dir!()).unwrap();
    let read_only: SharedFd = std::fs::File::open(file.path()).unwrap().into();
    // The first one, one in the middle, two in a row, and the last one are rejected by `io_submit`
    // itself.
    let bad = [0, 5, 9, 10, 15];
    let mut batch = ctx.batch();
    let writes: Vec<_> = (0..16)
        .map(|at| {
            batch.write(block_of(100 + at), if bad.contains(&at) { &read_only } else { &fd }, at as u64 / 2 * 4096)
        })
        .collect();
    batch.submit().unwrap();
    for (at, (written, block)) in block_on(join_all(writes)).into_iter().enumerate() {
        assert_eq!(block[0], 100 + at as u8);
        if bad.contains(&(at as u8)) {
            assert_eq!(errno(&written.unwrap_err()), Some(libc::EBADF), "{at}");
        } else {
            assert_eq!(written.unwrap(), BLOCK, "{at}");
        }
    }
    assert_eq!(ctx.stats().fallback, 5);
    assert_eq!(ctx.in_flight(), 0);
}

#[test]
fn where_the_kernel_has_no_room_nothing_hangs() {
    refused_submissions(libc::EAGAIN);
}

#[test]
fn where_the_kernel_takes_nothing_any_more_the_pool_does() {
    refused_submissions(libc::EPERM);
}

/// The kernel refuses every `io_submit` of this thread.
fn refused_submissions(error: i32) {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 64), direct_file(8)) else { return };
    thread::scope(|scope| {
        scope.spawn(|| {
            // The reaper is there before the filter, which it would inherit.
            block_on(ctx.read_into(room(), &fd, 0)).0.unwrap();
            if !refuse_or_skip(&[Refused::always(libc::SYS_io_submit, error)]) {
                return;
            }
            let mut batch = ctx.batch();
            let reads: Vec<_> = (0..40).map(|at| batch.read_into(room(), &fd, (at % 8 * BLOCK) as u64)).collect();
            batch.submit().unwrap();
            for (at, (read, block)) in block_on(join_all(reads)).into_iter().enumerate() {
                assert_eq!((read.unwrap(), block[0]), (BLOCK, (at % 8) as u8));
            }
            // The reaper, which may flush as well, is not refused.
            assert_ne!(ctx.stats().fallback, 0);
        });
    });
    assert_eq!(ctx.in_flight(), 0);
}

#[test]
fn what_has_no_room_is_submitted_once_others_have_ended() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 64), direct_file(8)) else { return };
    let rounds = 50;
    thread::scope(|scope| {
        // One thread keeps the kernel busy; the kernel has no room for what the other one submits.
        scope.spawn(|| {
            for _ in 0..rounds * 8 {
                block_on(ctx.read_into(room(), &fd, 0)).0.unwrap();
            }
        });
        scope.spawn(|| {
            block_on(ctx.read_into(room(), &fd, 0)).0.unwrap();
            if !refuse_or_skip(&[Refused::always(libc::SYS_io_submit, libc::EAGAIN)]) {
                return;
            }
            for _ in 0..rounds {
                let reads = (0..8).map(|at| ctx.read_into(room(), &fd, (at * BLOCK) as u64));
                for (at, (read, block)) in block_on(join_all(reads)).into_iter().enumerate() {
                    assert_eq!((read.unwrap(), block[0]), (BLOCK, at as u8));
                }
            }
        });
    });
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

#[test]
fn room_that_the_pool_makes_goes_to_the_kernel() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 1), direct_file(2)) else { return };
    let cached: SharedFd = disk_file(&test_dir!()).into();
    // From here on the reaper is there, and asleep.
    block_on(ctx.read_into(room(), &fd, 0)).0.unwrap();
    for _ in 0..20 {
        let to_cache = ctx.write(vec![1; 16 << 20], &cached, 0).submit();
        // The write may have ended before the read is submitted, but not every time.
        let from_disk = ctx.read_into(room(), &fd, BLOCK as u64).submit();
        // It parks, and nobody looks while the pool makes room.
        let (read, block) = block_on(from_disk);
        assert_eq!((read.unwrap(), block[0]), (BLOCK, 1));
        assert_eq!(block_on(to_cache).0.unwrap(), 16 << 20);
    }
    assert_ne!(ctx.stats().waited, 0);
}

#[test]
fn many_threads_share_a_context() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 16), direct_file(64)) else { return };
    thread::scope(|scope| {
        for number in 0..8 {
            let (ctx, fd) = (&ctx, &fd);
            scope.spawn(move || {
                for round in 0..250 {
                    let blocks = (0..4).map(|at| (number * 37 + round * 5 + at) % 64);
                    let reads = blocks.clone().map(|at| ctx.read_into(room(), fd, (at * BLOCK) as u64));
                    for (at, (read, block)) in blocks.zip(block_on(join_all(reads))) {
                        assert_eq!(read.unwrap(), BLOCK);
                        assert_eq!(*block, [at as u8; BLOCK]);
                    }
                }
            });
        }
    });
    assert_eq!(ctx.stats().completed, 8000);
    assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
}

#[test]
fn threads_may_end_while_their_requests_run() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 64), direct_file(8)) else { return };
    let reads: Vec<_> = (0..32)
        .map(|at| {
            let (ctx, fd) = (&ctx, &fd);
            thread::scope(|scope| {
                scope.spawn(move || ctx.read_into(room(), fd, (at % 8 * BLOCK) as u64).submit()).join().unwrap()
            })
        })
        .collect();
    for (at, (read, block)) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!((read.unwrap(), block[0]), (BLOCK, (at % 8) as u8));
    }
}
