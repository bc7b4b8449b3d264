//! Every kind of operation on every route.

use crate::support::{assert_content, builder, file};
use caio_conformance::kit::{direct_file, pipe, within};
use caio_conformance::test_dir;
use caio_core::{AlignedBuf, Context, NO_OFFSET, SharedFd};
use caio_uring::{Builder, Route, Routes};
use futures::FutureExt;
use futures::executor::block_on;
use io_uring::opcode;
use std::io::Write;
use std::time::Duration;

/// The routes that are forced in turn.
fn all_routes() -> [Routes; 3] {
    [Routes::default(), Routes::all(Route::Ring), Routes::all(Route::Pool)]
}

/// Reads, writes, scatters, gathers and syncs, and compares what is in the file.
fn exercise(ctx: &Context) {
    let fd = file(b"");
    let (written, _) = block_on(ctx.write(vec![7u8; 10_000], &fd, 3));
    assert_eq!(written.expect("a write"), 10_000);
    let (written, _) = block_on(ctx.writev(vec![b"abc".to_vec(), b"defg".to_vec()], &fd, 0));
    assert_eq!(written.expect("a gathered write"), 7);
    assert_content(ctx, &fd, 0, b"abcdefg\x07\x07");
    let (read, bufs) = block_on(ctx.readv(vec![Vec::with_capacity(2), Vec::with_capacity(100)], &fd, 1));
    assert_eq!(read.expect("a scattered read"), 102);
    assert_eq!((&bufs[0][..], &bufs[1][..4]), (&b"bc"[..], &b"defg"[..]));
    block_on(ctx.fdsync(&fd)).expect("fdatasync");
    block_on(ctx.fsync(&fd)).expect("fsync");
    assert_eq!(block_on(ctx.read(10, &fd, 10_003)).expect("a read at the end"), b"");
    let (read, buf) = block_on(ctx.read_into(Vec::with_capacity(64), &fd, 10_000));
    assert_eq!((read.expect("a short read"), buf), (3, vec![7; 3]));
}

/// A ring copies what is cached while a request is submitted: a long copy would hold up the
/// executor of whoever submits.
#[test]
fn a_long_copy_is_made_by_a_thread_of_the_kernels() {
    const LONG: usize = 64 << 20;
    let Some(builder) = builder(Routes::all(Route::Ring)) else { return };
    let ctx = builder.build().expect("a context");
    let fd = file(&vec![5; LONG]);
    // The thread that asks may be away for as long as the copy takes, but not every time.
    let under_way = (0..10).filter(|_| {
        let mut read = ctx.read_into(Vec::with_capacity(LONG), &fd, 0).submit();
        let early = (&mut read).now_or_never();
        let under_way = early.is_none();
        let (result, buf) = early.unwrap_or_else(|| block_on(read));
        assert!(result.expect("a read") == LONG && buf[LONG - 1] == 5);
        under_way
    });
    assert_ne!(under_way.count(), 0, "all had ended once they were submitted");
}

#[test]
fn every_route_does_everything() {
    for routes in all_routes() {
        let Some(builder) = builder(routes) else { return };
        let ctx = builder.build().expect("a context");
        exercise(&ctx);
        assert_eq!(ctx.in_flight(), 0);
        assert_eq!(ctx.stats().fallback, 0, "{routes:?}");
    }
}

#[test]
fn several_rings_do_everything_from_many_threads() {
    let Some(builder) = builder(Routes::all(Route::Ring)) else { return };
    let ctx = builder.shards(3).build().expect("a context");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| exercise(&ctx));
        }
    });
}

/// Runs everything without one operation of the kernel's: it falls back, the others do not.
fn without(builder: Builder, opcode: u8, missing: impl Fn(&Context, &SharedFd)) {
    let ctx = builder.without(opcode).build().expect("a context");
    let fd = file(b"content");
    missing(&ctx, &fd);
    assert_eq!(ctx.stats().fallback, 1, "what is missing falls back");
    block_on(ctx.readv(vec![Vec::with_capacity(4)], &fd, 0)).0.expect("a scattered read");
    assert_eq!(ctx.stats().fallback, 1, "the others do not");
    exercise(&ctx);
}

#[test]
fn an_operation_that_the_kernel_lacks_takes_the_pool_alone() {
    let ring = || builder(Routes::all(Route::Ring));
    if ring().is_none() {
        return;
    }
    without(ring().expect("a builder"), opcode::Read::CODE, |ctx, fd| assert_content(ctx, fd, 0, b"content"));
    without(ring().expect("a builder"), opcode::Write::CODE, |ctx, fd| {
        block_on(ctx.write(b"x", fd, 0)).0.expect("a write");
    });
    without(ring().expect("a builder"), opcode::Fsync::CODE, |ctx, fd| block_on(ctx.fsync(fd)).expect("a sync"));
}

#[test]
fn a_direct_file_goes_through_the_ring() {
    let Some(builder) = builder(Routes::default()) else { return };
    let ctx = builder.build().expect("a context");
    let Some(fd) = direct_file(&test_dir!(), &[]) else { return };
    let mut buf = AlignedBuf::zeroed(4096, 4096);
    buf.copy_from_slice(&[9; 4096]);
    let (written, buf) = block_on(ctx.write(buf, &fd, 4096));
    assert_eq!(written.expect("a direct write"), 4096);
    let (read, buf) = block_on(ctx.read_into(buf, &fd, 4096));
    assert_eq!((read.expect("a direct read"), buf[4095]), (4096, 9));
}

#[test]
fn a_stream_is_read_and_written_without_an_offset() {
    for routes in all_routes() {
        let Some(builder) = builder(routes) else { return };
        let ctx = builder.build().expect("a context");
        let (reader, mut writer) = pipe();
        let read = ctx.read(16, &reader, NO_OFFSET).submit();
        writer.write_all(b"late").expect("a write");
        assert_eq!(within(Duration::from_secs(10), move || block_on(read)).expect("a read"), b"late");
    }
}

/// With room for two, operations that wait their turn start whoever made the room: the pool or the
/// ring.
#[test]
fn operations_of_both_ways_wait_for_one_another() {
    let mut routes = Routes::all(Route::Ring);
    routes.writes = Route::Pool;
    let Some(builder) = builder(routes) else { return };
    let ctx = builder.max_requests(2).build().expect("a context");
    within(Duration::from_secs(20), move || {
        let fd = file(&[b'1'; 4096]);
        for _ in 0..50 {
            let writes = (0..8).map(|at| ctx.write(b"1", &fd, at).submit());
            let reads = (0..8).map(|at| ctx.read(1, &fd, at).submit());
            let (writes, reads): (Vec<_>, Vec<_>) = writes.zip(reads).unzip();
            block_on(futures::future::join_all(reads))
                .into_iter()
                .for_each(|read| assert_eq!(read.expect("a read"), b"1"));
            block_on(futures::future::join_all(writes))
                .into_iter()
                .for_each(|write| assert_eq!(write.0.expect("a write"), 1));
        }
    });
}
