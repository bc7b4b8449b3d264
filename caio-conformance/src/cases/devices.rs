//! Files that are not regular ones, and ways to open them, on Linux.

use super::cases;
use super::transfer::read_all;
use crate::fixture::{Fixture, skip};
use crate::kit::{assert_same_error, block_on, join_all, pattern, read_at, write_at};
use caio_core::{NO_OFFSET, SharedFd};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

cases!("devices":
    full_device, zero_device, null_device, random_device, proc_files, proc_file_at_an_offset, path_only,
    appending_file, directory_sync, disk_full_keeps_working,
);

/// A device for reading and writing.
fn device(path: &str) -> SharedFd {
    match File::options().read(true).write(true).open(path) {
        Ok(file) => file.into(),
        Err(error) => skip(format!("{path}: {error}")),
    }
}

/// A full disk.
fn full_device(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = device("/dev/full");
    let (written, buf) = block_on(ctx.write(b"data", &fd, 0));
    assert_same_error("write", written, write_at(fd.file(), b"data", 0));
    assert_eq!(buf, b"data");
    let written = block_on(ctx.writev(vec![b"a", b"b"], &fd, 0)).0;
    assert_same_error("writev", written, write_at(fd.file(), b"ab", 0));
    let written = block_on(ctx.write(b"data", &fd, NO_OFFSET)).0;
    assert_same_error("write without an offset", written, fd.file().write(b"data"));
}

/// Zeros without end, wherever one reads. The device ends a read after any page if a signal, or work of a ring, waits for the thread.
fn zero_device(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = device("/dev/zero");
    for offset in [0, 1 << 40, NO_OFFSET] {
        let (read, buf) = block_on(ctx.read_into(vec![0xee; 10_000], &fd, offset));
        let read = read.unwrap();
        assert!(read == 10_000 || read == 4096 || read == 8192, "{read} bytes were read");
        assert!(buf == vec![0; read], "not all of them are zeros, or others are to be seen");
    }
}

/// Takes all, gives nothing.
fn null_device(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = device("/dev/null");
    assert_eq!(block_on(ctx.write(pattern(10_000), &fd, 0)).0.unwrap(), 10_000);
    assert_eq!(block_on(ctx.writev(vec![b"ab", b"cd"], &fd, NO_OFFSET)).0.unwrap(), 4);
    assert_eq!(block_on(ctx.read(100, &fd, 0)).unwrap(), b"");
}

/// Never the same twice.
fn random_device(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd: SharedFd = File::open("/dev/urandom").map_or_else(|error| skip(error.to_string()), SharedFd::from);
    let reads = block_on(join_all((0..4).map(|_| ctx.read(32, &fd, 0)).collect()));
    let reads: Vec<_> = reads.into_iter().map(Result::unwrap).collect();
    assert!(reads.iter().all(|read| read.len() == 32) && reads[0] != reads[1] && reads[2] != reads[3]);
}

/// The files of /proc have no size, and a content.
fn proc_files(fixture: &Fixture) {
    let ctx = fixture.context();
    for path in ["/proc/version", "/proc/filesystems", "/proc/sys/kernel/ostype", "/proc/cpuinfo"] {
        let Ok(file) = File::open(path) else { continue };
        let expected = std::fs::read(path).unwrap();
        let fd = file.into();
        let read = block_on(read_all(&ctx, &fd, 0, 1 << 20));
        let clock = path == "/proc/cpuinfo"; // tells frequencies, which change
        assert!(if clock { !read.is_empty() } else { read == expected }, "{path}");
    }
}

/// They can be read from the middle.
fn proc_file_at_an_offset(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = File::open("/proc/version").map_or_else(|error| skip(error.to_string()), SharedFd::from);
    let expected = std::fs::read("/proc/version").unwrap();
    assert_eq!(block_on(ctx.read(4096, &fd, 6)).unwrap(), expected[6..]);
    assert_eq!(block_on(ctx.read(3, &fd, 2)).unwrap(), expected[2..5]);
    assert_eq!(block_on(ctx.read(64, &fd, NO_OFFSET)).unwrap(), expected[..expected.len().min(64)]);
}

/// A descriptor that only names a file can do nothing: EBADF.
fn path_only(fixture: &Fixture) {
    let ctx = fixture.context();
    let _made = fixture.file("named", b"data");
    let fd: SharedFd =
        File::options().read(true).custom_flags(libc::O_PATH).open(fixture.path("named")).unwrap().into();
    let (read, buf) = block_on(ctx.read_into(vec![1; 8], &fd, 0));
    let error = read.as_ref().unwrap_err();
    assert_eq!(caio_core::errno(error), Some(libc::EBADF), "{error}");
    assert_same_error("read", read, read_at(fd.file(), &mut [0; 8], 0));
    assert_eq!(buf.len(), 8);
    let (written, buf) = block_on(ctx.write(b"no", &fd, 0));
    assert_same_error("write", written, write_at(fd.file(), b"no", 0));
    assert_eq!(buf, b"no");
    let (written, bufs) = block_on(ctx.writev(vec![b"no"], &fd, 0));
    assert_same_error("writev", written, write_at(fd.file(), b"no", 0));
    assert_eq!(bufs, [b"no"]);
    assert_same_error("fsync", block_on(ctx.fsync(&fd)), fd.file().sync_all());
    assert_same_error("fdsync", block_on(ctx.fdsync(&fd)), fd.file().sync_data());
    let read = block_on(ctx.read(8, &fd, NO_OFFSET));
    assert_same_error("read without an offset", read, fd.file().read(&mut [0; 8]));
}

/// A file that was opened for appending is appended to, as `pwrite(2)` does on Linux.
fn appending_file(fixture: &Fixture) {
    let ctx = fixture.context();
    for (name, ours) in [("ours", true), ("plain", false)] {
        let _made = fixture.file(name, b"start");
        let fd: SharedFd = File::options().append(true).open(fixture.path(name)).unwrap().into();
        for (data, offset) in [(b"one", 0), (b"two", 100)] {
            let written =
                if ours { block_on(ctx.write(data, &fd, offset)).0 } else { write_at(fd.file(), data, offset) };
            assert_eq!(written.unwrap(), 3);
        }
    }
    assert_eq!(fixture.content("ours"), fixture.content("plain"));
}

/// A directory is brought to the disk, as is done after a rename.
fn directory_sync(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd: SharedFd = File::open(fixture.path("")).unwrap().into();
    match fd.file().sync_all() {
        Ok(()) => block_on(ctx.fsync(&fd)).unwrap(),
        plain => assert_same_error("fsync", block_on(ctx.fsync(&fd)), plain),
    }
}

/// Failures in flight among others leave the others alone.
fn disk_full_keeps_working(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let (full, fd) = (device("/dev/full"), fixture.file("other", b""));
    let writes =
        (0..40).map(|index| ctx.write(vec![5; 10], if index % 2 == 0 { &full } else { &fd }, index * 5)).collect();
    for (index, (written, buf)) in block_on(join_all(writes)).into_iter().enumerate() {
        assert_eq!((written.is_err(), buf), (index % 2 == 0, vec![5; 10]));
    }
    assert_eq!(fixture.content("other").len(), 39 * 5 + 10);
}
