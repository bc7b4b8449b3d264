//! Completions: none is lost, none is taken for an answer that it is not, from many threads at
//! once.

use crate::support::{BLOCK, assert_content, file, queued_file, ring};
use caio_conformance::kit::{disk_file, pipe, within};
use caio_conformance::test_dir;
use caio_core::{AlignedBuf, NO_OFFSET};
use caio_uring::{Route, Routes, Uring};
use futures::executor::block_on;
use futures::future::join_all;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::Duration;

#[test]
fn eight_threads_with_a_thousand_operations_each() {
    let Some(builder) = ring() else { return };
    let content: Vec<u8> = (0..65536_u32).map(|at| (at % 251) as u8).collect();
    for shards in [1, 2] {
        let ctx = builder.clone().max_requests(64).shards(shards).build().expect("a context");
        let fd = file(&content);
        let content = content.clone();
        within(Duration::from_secs(60), move || {
            std::thread::scope(|scope| {
                for thread in 0..8_u64 {
                    let (ctx, fd, content) = (&ctx, &fd, &content);
                    scope.spawn(move || {
                        for round in 0..125 {
                            let offsets = (0..8).map(|at| (thread * 8000 + round * 61 + at * 7) % 65000);
                            let reads = offsets.clone().map(|offset| ctx.read(100, fd, offset));
                            for (read, offset) in block_on(join_all(reads)).into_iter().zip(offsets) {
                                assert_eq!(read.expect("a read"), content[offset as usize..][..100]);
                            }
                        }
                    });
                }
            });
            assert_eq!((ctx.in_flight(), ctx.stats().completed), (0, 8000));
        });
    }
}

/// The thread exits, and the kernel cancels what it has submitted and not begun.
#[test]
fn reads_outlive_the_thread_that_submitted_them() {
    const LONG: usize = 256 * 1024;
    let (Some(builder), Some(fd)) = (ring(), queued_file(LONG)) else { return };
    let ctx = builder.build().expect("a context");
    within(Duration::from_secs(120), move || {
        // The disk may be faster than the thread ends, but not every time.
        for _ in 0..50 {
            let reads: Vec<_> = std::thread::scope(|scope| {
                let read = || ctx.read_into(AlignedBuf::new(LONG, BLOCK), &fd, 0).submit();
                scope.spawn(move || (0..64).map(|_| read()).collect()).join().expect("a thread")
            });
            for (read, buf) in block_on(join_all(reads)) {
                assert_eq!(read.expect("a read that nobody cancelled"), LONG);
                assert!(buf.iter().all(|byte| *byte == 7));
            }
            if ctx.stats().fallback != 0 {
                break;
            }
        }
        println!("{} reads were cancelled by the kernel, and done by the pool", ctx.stats().fallback);
        assert_eq!(ctx.stats().cancelled, 0);
    });
}

/// More completions at once than their queue has room for, while nobody takes them.
#[test]
fn completions_that_do_not_fit_are_not_lost() {
    let Some(builder) = ring() else { return };
    let ctx = builder.max_requests(1000).completions(256).build().expect("a context");
    let fd = file(&[1]);
    for _ in 0..10 {
        let mut batch = ctx.batch();
        let reads: Vec<_> = (0..1000).map(|_| batch.read(1, &fd, 0)).collect();
        batch.submit().expect("a batch");
        within(Duration::from_secs(20), move || block_on(join_all(reads)))
            .into_iter()
            .for_each(|read| assert_eq!(read.expect("a read"), [1]));
    }
    assert_eq!((ctx.in_flight(), ctx.stats().completed), (0, 10_000));
}

/// More operations at once than the submission queue has room for, and more than may be in flight.
#[test]
fn a_full_submission_queue_is_flushed() {
    let Some(builder) = ring() else { return };
    let ctx = builder.max_requests(2000).build().expect("a context");
    assert_eq!(ctx.max_requests(), 2000);
    let fd = file(&[1]);
    let mut batch = ctx.batch();
    let reads: Vec<_> = (0..4000).map(|_| batch.read(1, &fd, 0)).collect();
    batch.submit().expect("a batch");
    within(Duration::from_secs(30), move || block_on(join_all(reads)))
        .into_iter()
        .for_each(|read| assert_eq!(read.expect("a read"), [1]));
    assert_eq!((ctx.in_flight(), ctx.queued(), ctx.stats().completed), (0, 0, 4000));
}

/// A parked future is woken although others take completions by looking.
#[test]
fn nobody_sleeps_through_a_completion() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    within(Duration::from_secs(60), move || {
        let fd = file(&[1; 4096]);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..3000 {
                        assert_eq!(block_on(ctx.read(8, &fd, 0)).expect("a read"), [1; 8]);
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..300 {
                    let (reader, mut writer) = pipe();
                    let read = std::thread::spawn({
                        let ctx = ctx.clone();
                        move || block_on(ctx.read(1, &reader, NO_OFFSET))
                    });
                    writer.write_all(b"x").expect("a write");
                    assert_eq!(read.join().expect("a thread").expect("a read"), b"x");
                }
            });
        });
    });
}

/// What was read is all that is seen of a buffer.
#[test]
fn a_short_read_shows_nothing_else() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    let fd = file(b"abc");
    let (read, buf) = block_on(ctx.read_into(vec![9; 4096], &fd, 1));
    assert_eq!((read.expect("a read"), buf), (2, b"bc".to_vec()));
}

/// A cold file on a real disk: its completions arrive by interrupt.
#[test]
fn cold_reads_from_a_disk_complete() {
    let mut routes = Routes::all(Route::Ring);
    routes.inline = true;
    let Some(ctx) = ring().map(|_| Uring::builder().routes(routes).build().expect("a context")) else { return };
    let mut file = disk_file(&test_dir!());
    file.write_all(&vec![3; 4 << 20]).expect("content");
    file.sync_all().expect("a sync");
    // SAFETY: advice on a descriptor of ours.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    let fd = file.into();
    within(Duration::from_secs(30), move || {
        for at in 0..64 {
            assert_content(&ctx, &fd, at * 65536, &[3; 4096]);
        }
    });
}
