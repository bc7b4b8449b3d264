//! What is finished in its caller's thread, and what is not.

use crate::support::{block_on, file};
use caio_conformance::kit::direct_file;
use caio_conformance::test_dir;
use caio_core::{Context, NO_OFFSET, SharedFd};
use caio_thread::ThreadPool;
use std::future::Future;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

/// How many operations were finished inline while something ran.
fn inline(ctx: &Context, body: impl FnOnce()) -> u64 {
    let before = ctx.stats().inline;
    body();
    ctx.stats().inline - before
}

/// A file with a length in the page cache.
fn cached(bytes: usize) -> SharedFd {
    let fd = file();
    let content: Vec<u8> = (0..bytes).map(|at| (at / 7) as u8).collect();
    fd.file().write_all_at(&content, 0).unwrap();
    fd
}

/// Whether the file system of temporary files can say whether a read would wait.
fn is_supported() -> bool {
    let ctx = ThreadPool::builder().build().unwrap();
    let fd = cached(4096);
    let supported = inline(&ctx, || drop(block_on(ctx.read(64, &fd, 0)))) == 1;
    if !supported {
        println!("SKIP: this file system knows no RWF_NOWAIT");
    }
    supported
}

#[test]
fn a_cached_read_takes_no_worker() {
    if !is_supported() {
        return;
    }
    let ctx = ThreadPool::builder().build().unwrap();
    let fd = cached(100_000);
    let reads = || {
        assert_eq!(block_on(ctx.read(65_536, &fd, 0)).unwrap().len(), 65_536);
        let (read, bufs) = block_on(ctx.readv(vec![vec![0; 10], vec![0; 100]], &fd, 7));
        assert_eq!((read.unwrap(), bufs[0].as_slice()), (110, &[1, 1, 1, 1, 1, 1, 1, 2, 2, 2][..]));
        assert_eq!(block_on(ctx.read(4096, &fd, 99_990)).unwrap().len(), 10, "the end is confirmed");
        assert_eq!(block_on(ctx.read(4096, &fd, 100_000)).unwrap(), b"");
        assert_eq!(block_on(ctx.read(0, &fd, 5)).unwrap(), b"");
    };
    assert_eq!(inline(&ctx, reads), 5);
}

#[test]
fn a_long_read_holds_up_no_executor() {
    let ctx = ThreadPool::builder().build().unwrap();
    let fd = cached(200_000);
    let mut cx = TaskContext::from_waker(futures::task::noop_waker_ref());
    for (len, pieces) in [(65_536, 1), (65_537, 2), (200_000, 4)] {
        let mut read = ctx.read(len, &fd, 0);
        let turns = (1..).find(|_| match Pin::new(&mut read).poll(&mut cx) {
            Poll::Ready(data) => data.unwrap().len() == len,
            Poll::Pending => false,
        });
        assert!(turns.is_some_and(|turns| turns >= pieces), "{len} bytes were read in {turns:?} turns");
    }
    // Started without a poll it has nobody to go on with it, and a worker does it.
    assert_eq!(inline(&ctx, || assert_eq!(block_on(ctx.read(200_000, &fd, 0).submit()).unwrap().len(), 200_000)), 0);
}

#[test]
fn the_portable_implementation_finishes_nothing_inline() {
    let ctx = ThreadPool::builder().portable(true).build().unwrap();
    let fd = cached(4096);
    assert_eq!(inline(&ctx, || assert_eq!(block_on(ctx.read(64, &fd, 0)).unwrap().len(), 64)), 0);
}

/// A read that meets a page which is not in memory is not reported as short.
#[test]
fn a_partly_cached_read_is_whole() {
    let path = std::env::temp_dir().join(format!("caio-thread-cold-{}", std::process::id()));
    let mut plain = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    plain.write_all(&vec![9; 1 << 20]).unwrap();
    plain.sync_all().unwrap();
    std::fs::remove_file(&path).unwrap();
    drop_cache(&plain);
    let mut byte = [0];
    plain.read_at(&mut byte, 0).unwrap();
    let fd: SharedFd = plain.into();
    let ctx = ThreadPool::builder().build().unwrap();
    for at in (0..(1 << 20) - 65_536).step_by(10_007) {
        assert_eq!(block_on(ctx.read(65_536, &fd, at)).unwrap(), vec![9; 65_536], "at {at}");
    }
}

/// Asks the kernel to forget the pages of a file.
#[allow(unsafe_code)]
fn drop_cache(file: &std::fs::File) {
    use std::os::fd::AsRawFd;
    // SAFETY: the call takes numbers only.
    let advised = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(advised, 0);
}

#[test]
fn a_direct_file_is_left_alone() {
    let Some(fd) = direct_file(&test_dir!(), &[3; 8192]) else { return };
    let ctx = ThreadPool::builder().build().unwrap();
    let buf = caio_core::AlignedBuf::new(4096, 4096);
    let read = || assert_eq!(block_on(ctx.read_into(buf, &fd, 0)).0.unwrap(), 4096);
    assert_eq!(inline(&ctx, read), 0);
}

/// Whatever its flags say, a write of such a file waits for the disk.
#[test]
fn a_write_that_lasts_is_left_to_a_worker() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, flags| -> SharedFd {
        let mut options = std::fs::File::options();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(flags)
            .open(dir.path().join(name))
            .unwrap()
            .into()
    };
    let ctx = ThreadPool::builder().build().unwrap();
    let write = |fd: &SharedFd| inline(&ctx, || assert_eq!(block_on(ctx.write(vec![1; 4096], fd, 0)).0.unwrap(), 4096));
    assert_eq!(write(&open("data", libc::O_DSYNC)), 0);
    assert_eq!(write(&open("all", libc::O_SYNC)), 0);
}

#[test]
fn an_append_lands_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let fd: SharedFd = std::fs::File::options().append(true).create(true).open(&path).unwrap().into();
    let ctx = ThreadPool::builder().build().unwrap();
    for offset in [0, NO_OFFSET] {
        for _ in 0..50 {
            assert_eq!(block_on(ctx.write(vec![b'x'; 1000], &fd, offset)).0.unwrap(), 1000);
        }
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_000);
}

#[test]
fn wrong_descriptors_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = ThreadPool::builder().build().unwrap();
    let write_only: SharedFd = std::fs::File::create(dir.path().join("f")).unwrap().into();
    let error = block_on(ctx.read(8, &write_only, 0)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    let directory: SharedFd = std::fs::File::open(dir.path()).unwrap().into();
    for len in [0, 8] {
        let error = block_on(ctx.read(len, &directory, 0)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
    }
}

/// A file in memory is read in place; a pipe or a device with a name there can still have nothing
/// to read.
#[test]
fn a_file_in_memory_is_read_in_place() {
    let Ok(fd) = tempfile::tempfile_in("/dev/shm") else {
        println!("SKIP: no tmpfs here");
        return;
    };
    fd.write_all_at(&[5; 10_000], 0).unwrap();
    let (fd, ctx): (SharedFd, _) = (fd.into(), ThreadPool::builder().build().unwrap());
    assert_eq!(block_on(ctx.read(10, &fd, 0)).unwrap(), [5; 10]);
    let reads = || {
        assert_eq!(block_on(ctx.read(100, &fd, 9990)).unwrap(), [5; 10]);
        assert_eq!(block_on(ctx.read(100, &fd, 10_000)).unwrap(), b"");
    };
    assert_eq!(inline(&ctx, reads), 2);
    let null: SharedFd = std::fs::File::open("/dev/null").unwrap().into();
    for _ in 0..3 {
        assert_eq!(block_on(ctx.read(100, &null, 0)).unwrap(), b"");
    }
}
