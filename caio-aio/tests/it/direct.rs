//! What the kernel is given, and what it is not.

use crate::support::{block_of, context, direct_file, room, skip};
use caio_aio::{Routes, submitted_here};
use caio_conformance::kit::{BLOCK, as_nobody, disk_file, open_direct};
use caio_conformance::test_dir;
use caio_core::{AlignedBuf, Context, Fact, IoPriority, SharedFd, errno};
use caio_sys::rw::{self, RwFlags};
use futures::executor::block_on;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// That many operations have ended, none of them inline or in the pool.
fn all_went_to_the_kernel(ctx: &Context, count: u64) {
    let stats = ctx.stats();
    assert_eq!((stats.completed, stats.inline, stats.fallback), (count, 0, 0));
}

#[test]
fn reads_of_a_direct_file_go_to_the_kernel() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 8), direct_file(4)) else { return };
    for number in 0..4 {
        let (read, block) = block_on(ctx.read_into(room(), &fd, (number * BLOCK) as u64));
        assert_eq!(read.unwrap(), BLOCK);
        assert_eq!(*block, [number as u8; BLOCK]);
    }
    all_went_to_the_kernel(&ctx, 4);
}

#[test]
fn writes_go_to_the_kernel_where_they_are_to() {
    let (Some(ctx), Some(fd)) = (context(Routes::Kernel, 8), direct_file(4)) else { return };
    let (written, block) = block_on(ctx.write(block_of(9), &fd, BLOCK as u64));
    assert_eq!(written.unwrap(), BLOCK);
    let (read, blocks) = block_on(ctx.readv(vec![room(), block, room()], &fd, 0));
    assert_eq!(read.unwrap(), 3 * BLOCK);
    assert_eq!(blocks.iter().map(|block| block[BLOCK - 1]).collect::<Vec<_>>(), [0, 9, 2]);
    let (written, _) = block_on(ctx.writev(vec![block_of(5), block_of(6)], &fd, 2 * BLOCK as u64));
    assert_eq!(written.unwrap(), 2 * BLOCK);
    let (_, block) = block_on(ctx.read_into(room(), &fd, 3 * BLOCK as u64));
    assert_eq!(*block, [6; BLOCK]);
    all_went_to_the_kernel(&ctx, 4);
}

#[test]
fn writes_that_need_not_wait_go_to_the_kernel() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 8), direct_file(4)) else { return };
    if let Err(error) = rw::write(fd.as_fd(), &block_of(1), 0, RwFlags::NOWAIT) {
        return skip(format_args!("this file system has no writes that do not wait: {error}"));
    }
    for number in 1..=20 {
        let (written, _) = block_on(ctx.write(block_of(number), &fd, 0));
        assert_eq!(written.unwrap(), BLOCK);
    }
    // A clock's tick may make the file system note the time, for which it waits.
    assert!(ctx.stats().fallback < 20, "{:?}", ctx.stats());
}

#[test]
fn a_write_that_would_block_the_call_takes_another_route() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 8), direct_file(1)) else { return };
    // It makes the file longer, for which a file system has to wait; one that need not is right as
    // well.
    for number in 1..9 {
        let (written, _) = block_on(ctx.write(block_of(number), &fd, u64::from(number) * BLOCK as u64));
        assert_eq!(written.unwrap(), BLOCK);
    }
    for number in 1..9 {
        let (read, block) = block_on(ctx.read_into(room(), &fd, u64::from(number) * BLOCK as u64));
        assert_eq!((read.unwrap(), &*block), (BLOCK, &[number; BLOCK][..]));
    }
    println!("{} of 8 writes fell back", ctx.stats().fallback);
    assert_eq!(ctx.stats().completed, 16);
    assert_eq!(ctx.in_flight(), 0);
}

#[test]
fn operations_on_other_files_never_reach_the_kernel() {
    let Some(ctx) = context(Routes::Auto, 8) else { return };
    let before = submitted_here();
    let fd: SharedFd = disk_file(&test_dir!()).into();
    let (written, _) = block_on(ctx.write(vec![7; 1 << 20], &fd, 0));
    assert_eq!(written.unwrap(), 1 << 20);
    block_on(ctx.fdsync(&fd)).unwrap();
    block_on(ctx.fsync(&fd)).unwrap();
    assert_eq!(block_on(ctx.read(1 << 20, &fd, 0)).unwrap(), vec![7; 1 << 20]);
    let (read, _) = block_on(ctx.readv(vec![Vec::with_capacity(10), Vec::with_capacity(10)], &fd, 0));
    assert_eq!(read.unwrap(), 20);
    assert_eq!(block_on(ctx.read(10, &fd, 1 << 20)).unwrap(), []);
    assert_eq!(submitted_here(), before);
}

#[test]
fn the_kernel_syncs_where_it_is_to() {
    let (Some(ctx), Some(fd)) = (context(Routes::Kernel, 8), direct_file(1)) else { return };
    let (written, _) = block_on(ctx.write(block_of(3), &fd, 0));
    assert_eq!(written.unwrap(), BLOCK);
    block_on(ctx.fsync(&fd)).unwrap();
    block_on(ctx.fdsync(&fd)).unwrap();
    all_went_to_the_kernel(&ctx, 3);
}

#[test]
fn a_sync_that_the_kernel_rejects_takes_another_route() {
    let Some(ctx) = context(Routes::Kernel, 8) else { return };
    let fd: SharedFd = std::fs::File::open("/dev/null").unwrap().into();
    let error = block_on(ctx.fsync(&fd)).unwrap_err();
    assert_eq!(errno(&error), Some(libc::EINVAL));
    assert_eq!(ctx.stats().fallback, 1);
}

#[test]
fn what_is_misaligned_fails_as_the_system_call_does() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 8), direct_file(2)) else { return };
    let mut odd = AlignedBuf::zeroed(BLOCK, BLOCK);
    let expected = fd.file().read_at(&mut odd, 1);
    let (read, _) = block_on(ctx.read_into(odd, &fd, 1));
    match (expected, read) {
        (Ok(expected), Ok(read)) => assert_eq!(read, expected),
        (Err(expected), Err(error)) => assert_eq!(errno(&error), expected.raw_os_error()),
        (expected, read) => panic!("pread: {expected:?}, the context: {read:?}"),
    }
}

#[test]
fn a_descriptor_without_the_permission_is_ebadf_with_its_buffer() {
    let Some(ctx) = context(Routes::Kernel, 8) else { return };
    let file = tempfile::NamedTempFile::new_in(test_dir!()).unwrap();
    let fd: SharedFd = std::fs::File::open(file.path()).unwrap().into();
    let (written, block) = block_on(ctx.write(block_of(1), &fd, 0));
    assert_eq!(errno(&written.unwrap_err()), Some(libc::EBADF));
    assert_eq!(*block, [1; BLOCK]);
}

/// A priority is a hint: that it is forbidden fails nothing.
#[test]
fn a_priority_reaches_the_kernel_or_the_pool() {
    as_nobody("direct::a_priority_reaches_the_kernel_or_the_pool", || {
        let (Some(ctx), Ok(fd)) = (context(Routes::Auto, 8), open_direct("/proc/self/exe".as_ref())) else { return };
        for priority in [IoPriority::BestEffort(7), IoPriority::Idle, IoPriority::RealTime(0)] {
            let (read, block) = block_on(ctx.read_into(room(), &fd, 0).priority(priority));
            assert_eq!((read.unwrap(), &block[..4]), (BLOCK, &b"\x7fELF"[..]), "{priority:?}");
        }
        println!("{} took the pool", ctx.stats().fallback);
    });
}

/// `io_submit` pins the pages of a long transfer, and asks a server where there is one: neither in
/// a poll.
#[test]
fn what_would_hold_its_caller_up_takes_the_pool() {
    let (Some(ctx), Some(fd), Some(asks)) = (context(Routes::Auto, 8), direct_file(1024), direct_file(1)) else {
        return;
    };
    let (read, _) = block_on(ctx.read_into(AlignedBuf::new(1 << 20, BLOCK), &fd, 0));
    assert_eq!((read.unwrap(), ctx.stats().fallback), (1 << 20, 0));
    let (read, blocks) = block_on(ctx.read_into(AlignedBuf::new(4 << 20, BLOCK), &fd, 0));
    assert_eq!((read.unwrap(), blocks[4 * BLOCK], ctx.stats().fallback), (4 << 20, 4, 1));
    asks.learn(Fact::PromptSubmit, false);
    let (read, _) = block_on(ctx.read_into(room(), &asks, 0));
    assert_eq!((read.unwrap(), ctx.stats().fallback), (BLOCK, 2));
}
