//! Options of the ring: registered files and buffers, a submission thread, polled devices.

use crate::support::{assert_content, file, ring};
use caio_conformance::kit::{direct_file, pipe, until, within};
use caio_conformance::test_dir;
use caio_core::{AlignedBuf, BackendKind, Fact, IoBuf, IoPriority, NO_OFFSET, SharedFd};
use caio_uring::BufPool;
use futures::executor::block_on;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[test]
fn registered_files_are_used_and_others_are_too() {
    let Some(builder) = ring() else { return };
    let (known, other) = (file(b"known"), file(b"other"));
    let (reader, mut writer) = pipe();
    let ctx = builder.registered_files([known.clone(), reader.clone()]).build().expect("a context");
    assert_content(&ctx, &known, 0, b"known");
    assert_content(&ctx, &other, 0, b"other");
    block_on(ctx.write(b"K", &known, 0)).0.expect("a write");
    block_on(ctx.fdsync(&known)).expect("a sync");
    assert_content(&ctx, &known, 0, b"Known");
    writer.write_all(b"piped").expect("a write");
    assert_eq!(block_on(ctx.read(8, &reader, NO_OFFSET)).expect("a read"), b"piped");
}

#[test]
fn a_registered_file_stays_open_as_long_as_its_context() {
    let Some(builder) = ring() else { return };
    let known = file(b"known");
    let ctx = builder.registered_files([known.clone()]).build().expect("a context");
    let known = known.try_unwrap().expect_err("the context holds it");
    assert_content(&ctx, &known, 0, b"known");
}

#[test]
fn registered_buffers_are_used_and_others_are_too() {
    let Some(builder) = ring() else { return };
    let pool = BufPool::new(4, 8192).expect("a pool");
    let ctx = match builder.registered_buffers(&pool).shards(2).build() {
        Ok(ctx) => ctx,
        Err(refusal) if refusal.kind() == ErrorKind::OutOfMemory => {
            assert!(refusal.to_string().contains("RLIMIT_MEMLOCK"));
            return println!("SKIP: {refusal}");
        }
        Err(refusal) => panic!("{refusal}"),
    };
    let fd = file(&[0; 64]);
    let mut buf = pool.take().expect("a buffer");
    assert_eq!(buf.fill(b"registered"), 10);
    let (written, buf) = block_on(ctx.write(buf, &fd, 5));
    assert_eq!(written.expect("a write"), 10);
    let (read, buf) = block_on(ctx.read_into(buf, &fd, 5));
    assert_eq!((read.expect("a read"), &buf[..10]), (59, &b"registered"[..]));
    let (read, part) = block_on(ctx.read_into(buf.slice(..4), &fd, 5));
    assert_eq!((read.expect("a read into a part"), &part[..]), (4, &b"regi"[..]));
    assert_content(&ctx, &fd, 5, b"registered");
    let others: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(others.len(), 3);
    let (read, scattered) = block_on(ctx.readv(others, &fd, 5));
    assert_eq!((read.expect("a scattered read"), &scattered[0][..10]), (59, &b"registered"[..]));
}

#[test]
fn a_buffer_outlives_its_pool_and_its_context() {
    let Some(builder) = ring() else { return };
    let pool = BufPool::new(1, 4096).expect("a pool");
    let Ok(ctx) = builder.registered_buffers(&pool).build() else { return };
    let (reader, _writer) = pipe();
    drop(ctx.read_into(pool.take().expect("a buffer"), &reader, NO_OFFSET).submit());
    until("it is back", || pool.take().is_some());
    let mut buf = pool.take().expect("a buffer");
    drop((pool, ctx));
    assert_eq!(buf.fill(&[7; 5000]), 4096);
    assert_eq!(buf[4095], 7);
}

#[test]
fn a_pool_of_nothing_or_too_much_is_refused() {
    for (count, size) in [(0, 4096), (4, 0), (1 << 20, 1 << 20), (usize::MAX, usize::MAX)] {
        assert_eq!(BufPool::new(count, size).expect_err("no pool").kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_submission_thread_takes_everything() {
    let Some(builder) = ring() else { return };
    let ctx = match builder.sqpoll(Duration::from_millis(1)).max_requests(8).build() {
        Ok(ctx) => ctx,
        Err(refusal) => {
            assert!(refusal.to_string().contains("CAP_SYS_NICE"), "{refusal}");
            return println!("SKIP: {refusal}");
        }
    };
    within(Duration::from_secs(30), move || {
        let fd = file(&[1; 4096]);
        for round in 0..200 {
            let reads = (0..50).map(|at| ctx.read(8, &fd, at));
            block_on(futures::future::join_all(reads))
                .into_iter()
                .for_each(|read| assert_eq!(read.expect("a read"), [1; 8]));
            if round % 50 == 0 {
                std::thread::sleep(Duration::from_millis(5)); // its thread falls asleep, and is woken
            }
        }
        let (reader, _writer) = pipe();
        let read = ctx.read_into(vec![0; 8], &reader, NO_OFFSET).submit();
        assert!(matches!(block_on(read.cancel()), caio_core::Outcome::Cancelled(_)));
    });
}

#[test]
fn polled_devices_serve_direct_files_and_the_pool_the_rest() {
    let Some(builder) = ring() else { return };
    let ctx = match builder.iopoll(true).build() {
        Ok(ctx) => ctx,
        Err(refusal) => return println!("SKIP: {refusal}"),
    };
    within(Duration::from_secs(30), move || {
        let fd = file(b"content");
        assert_content(&ctx, &fd, 0, b"content");
        assert_eq!(ctx.stats().fallback, 1, "a file in the page cache takes the pool");
        let Some(direct) = direct_file(&test_dir!(), &[]) else { return };
        for _ in 0..3 {
            let (written, buf) = block_on(ctx.write(AlignedBuf::zeroed(4096, 4096), &direct, 0));
            assert_eq!(written.expect("a direct write"), 4096);
            let (read, _) = block_on(ctx.read_into(buf, &direct, 0));
            assert_eq!(read.expect("a direct read"), 4096);
        }
        block_on(ctx.fsync(&direct)).expect("a sync");
    });
}

/// What the kernel says of the file's device.
fn has_poll_queues(fd: &SharedFd) -> bool {
    let Some((major, minor)) = caio_sys::mount::device(fd.as_fd()) else { return false };
    let device = format!("/sys/dev/block/{major}:{minor}");
    ["queue", "../queue"]
        .into_iter()
        .any(|queue| std::fs::read_to_string(format!("{device}/{queue}/io_poll")).is_ok_and(|told| told.trim() == "1"))
}

#[test]
fn a_device_without_poll_queues_takes_the_pool() {
    let (Some(builder), Some(fd)) = (ring(), direct_file(&test_dir!(), &[7; 4096])) else { return };
    let Ok(ctx) = builder.iopoll(true).build() else { return println!("SKIP: no IOPOLL here") };
    let (read, buf) = block_on(ctx.read_into(AlignedBuf::new(4096, 4096), &fd, 0));
    assert_eq!((read.expect("a read"), &buf[..]), (4096, &[7; 4096][..]));
    assert_eq!(ctx.stats().fallback, u64::from(!has_poll_queues(&fd)));
}

/// Some kernels say 'nothing' at the end of a file where a device has no queues for polling: the
/// pool is asked again.
#[test]
fn a_short_read_of_a_polled_device_is_not_believed() {
    let (Some(builder), Some(fd)) = (ring(), direct_file(&test_dir!(), &[7; 4196])) else { return };
    let submissions = builder.submissions();
    let Ok(ctx) = builder.iopoll(true).build() else { return println!("SKIP: no IOPOLL here") };
    fd.learn(Fact::PolledDevice, true);
    within(Duration::from_secs(30), move || {
        let read = |offset: u64| block_on(ctx.read_into(AlignedBuf::new(4096, 4096), &fd, offset)).0;
        let before = submissions.load(Ordering::Relaxed);
        assert_eq!(read(0).expect("a whole block"), 4096);
        if ctx.stats().fallback != 0 {
            return println!("SKIP: this file system polls no device");
        }
        assert_ne!(submissions.load(Ordering::Relaxed), before, "it goes to the ring");
        assert_eq!(read(4096).expect("a part of a block"), 100);
        assert_eq!(read(8192).expect("the end"), 0);
        assert_eq!(ctx.stats().fallback, 2);
    });
}

#[test]
fn as_many_shards_as_there_can_be() {
    let Some(builder) = ring() else { return };
    for shards in [257, usize::MAX] {
        let error = builder.clone().shards(shards).build().expect_err("too many");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        let error = builder.clone().shards(shards).build_with_driver().expect_err("too many");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    for shards in [0, 1, 256] {
        let ctx = builder.clone().shards(shards).build().expect("a context");
        assert_content(&ctx, &file(b"content"), 0, b"content");
    }
}

#[test]
fn a_priority_reaches_the_kernel() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    let fd = file(b"content");
    for priority in [IoPriority::Idle, IoPriority::BestEffort(7)] {
        assert_eq!(block_on(ctx.read(7, &fd, 0).priority(priority)).expect("a read"), b"content");
    }
}

#[test]
fn the_builder_says_what_it_is() {
    let Some(builder) = ring() else { return };
    let ctx = builder.max_requests(3).pool_size(1).build().expect("a context");
    assert_eq!((ctx.backend(), ctx.max_requests()), (BackendKind::Uring, 3));
    let error = caio_uring::Uring::builder().max_requests(0).build().expect_err("no bound");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
