//! Reads, writes and syncs.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::thread;

use caio_sys::rw::{NO_OFFSET, RwFlags, fdatasync, fsync, read, readv, write, writev};

use crate::support::{disk_file, errno, under_signals};
use caio_conformance::kit::pipe_ends;

/// No flags.
const PLAIN: RwFlags = RwFlags::empty();

/// Reads at most 16 bytes.
fn read_vec(fd: BorrowedFd<'_>, offset: u64, flags: RwFlags) -> std::io::Result<Vec<u8>> {
    let mut room = [MaybeUninit::uninit(); 16];
    read(fd, &mut room, offset, flags).map(|bytes| bytes.to_vec())
}

/// No flags, and one that changes nothing here, where the kernel (or an emulator) takes flags.
fn flag_sets() -> Vec<RwFlags> {
    match write(disk_file().as_fd(), b"x", 0, RwFlags::DSYNC) {
        Ok(_) => vec![PLAIN, RwFlags::DSYNC],
        Err(error) => {
            println!("skipped: flags: {error}");
            vec![PLAIN]
        }
    }
}

#[test]
fn what_was_written_is_read_at_offsets_of_more_than_32_bits() {
    let file = disk_file();
    let base = 5 << 30;
    // With flags the calls are others, and on 32-bit targets the offset goes in two halves.
    for (turn, flags) in flag_sets().into_iter().enumerate() {
        let at = base + 10 * turn as u64;
        assert_eq!(write(file.as_fd(), b"one", at, flags).unwrap(), 3);
        let bufs = [IoSlice::new(b"t"), IoSlice::new(b""), IoSlice::new(b"wo")];
        assert_eq!(writev(file.as_fd(), &bufs, at + 3, flags).unwrap(), 3);
        let mut bytes = [0; 6];
        file.read_exact_at(&mut bytes, at).unwrap();
        assert_eq!(&bytes, b"onetwo");
        assert_eq!(&read_vec(file.as_fd(), at, flags).unwrap()[..6], b"onetwo");
        let (mut a, mut b) = ([0; 1], [0; 5]);
        let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(readv(file.as_fd(), &mut bufs, at, flags).unwrap(), 6);
        assert_eq!((&a, &b), (b"o", b"netwo"));
        assert_eq!(file.metadata().unwrap().len(), at + 6);
    }
}

#[test]
fn the_end_of_the_file_is_nothing_read() {
    let file = disk_file();
    // The furthest offset at which 16 bytes do not end beyond the signed range.
    let far = i64::MAX as u64 - 16;
    write(file.as_fd(), b"abc", 0, PLAIN).unwrap();
    assert_eq!(read_vec(file.as_fd(), 1, PLAIN).unwrap(), b"bc");
    assert!(read_vec(file.as_fd(), 3, PLAIN).unwrap().is_empty());
    assert!(read_vec(file.as_fd(), far, PLAIN).unwrap().is_empty());
    assert!(read(file.as_fd(), &mut [], 0, PLAIN).unwrap().is_empty());
}

#[test]
fn no_offset_is_the_files_own_position() {
    for flags in flag_sets() {
        let file = disk_file();
        let fd = file.as_fd();
        assert_eq!(write(fd, b"ab", NO_OFFSET, flags).unwrap(), 2);
        assert_eq!(writev(fd, &[IoSlice::new(b"c")], NO_OFFSET, flags).unwrap(), 1);
        assert_eq!(read_vec(fd, 0, flags).unwrap(), b"abc");
        assert!(read_vec(fd, NO_OFFSET, flags).unwrap().is_empty());
    }
}

#[test]
fn pipes_take_no_offset() {
    let (reader, writer) = pipe_ends();
    assert_eq!(write(writer.as_fd(), b"ab", NO_OFFSET, PLAIN).unwrap(), 2);
    assert_eq!(writev(writer.as_fd(), &[IoSlice::new(b"cd")], NO_OFFSET, PLAIN).unwrap(), 2);
    let mut byte = [0];
    let bufs = &mut [IoSliceMut::new(&mut byte)];
    assert_eq!(readv(reader.as_fd(), bufs, NO_OFFSET, PLAIN).unwrap(), 1);
    assert_eq!(&byte, b"a");
    assert_eq!(read_vec(reader.as_fd(), NO_OFFSET, PLAIN).unwrap(), b"bcd");
    for flags in flag_sets() {
        assert_eq!(errno(read_vec(reader.as_fd(), 0, flags)), libc::ESPIPE);
        assert_eq!(errno(write(writer.as_fd(), b"x", 0, flags)), libc::ESPIPE);
    }
}

#[test]
fn nowait_does_not_wait() {
    let (reader, writer) = pipe_ends();
    match errno(read_vec(reader.as_fd(), NO_OFFSET, RwFlags::NOWAIT)) {
        libc::EAGAIN => (),
        old @ (libc::EOPNOTSUPP | libc::ENOSYS) => println!("skipped: errno {old}"),
        other => panic!("errno {other}"),
    }
    drop(writer);
    let file = disk_file();
    write(file.as_fd(), b"cached", 0, PLAIN).unwrap();
    match read_vec(file.as_fd(), 0, RwFlags::NOWAIT) {
        Ok(bytes) => assert_eq!(bytes, b"cached"),
        Err(error) => println!("skipped: {error}"),
    }
}

#[test]
fn append_goes_to_the_end() {
    let file = disk_file();
    write(file.as_fd(), b"abc", 0, PLAIN).unwrap();
    match write(file.as_fd(), b"d", 0, RwFlags::APPEND) {
        Ok(written) => assert_eq!(written, 1),
        Err(error) => return println!("skipped: {error}"),
    }
    assert_eq!(read_vec(file.as_fd(), 0, PLAIN).unwrap(), b"abcd");
}

#[test]
fn an_offset_beyond_the_signed_range_is_invalid() {
    let file = disk_file();
    let fd = file.as_fd();
    for offset in [1 << 63, u64::MAX - 1] {
        for flags in flag_sets() {
            assert_eq!(errno(read_vec(fd, offset, flags)), libc::EINVAL);
            assert_eq!(errno(write(fd, b"x", offset, flags)), libc::EINVAL);
            let mut byte = [0];
            let bufs = &mut [IoSliceMut::new(&mut byte)];
            assert_eq!(errno(readv(fd, bufs, offset, flags)), libc::EINVAL);
            let bufs = &[IoSlice::new(b"x")];
            assert_eq!(errno(writev(fd, bufs, offset, flags)), libc::EINVAL);
        }
    }
}

#[test]
fn the_wrong_file_is_told() {
    let read_only = File::open("/dev/null").unwrap();
    assert_eq!(errno(write(read_only.as_fd(), b"x", 0, PLAIN)), libc::EBADF);
    let write_only = File::options().write(true).open("/dev/null").unwrap();
    assert_eq!(errno(read_vec(write_only.as_fd(), 0, PLAIN)), libc::EBADF);
    let directory = File::open("/").unwrap();
    assert_eq!(errno(read_vec(directory.as_fd(), 0, PLAIN)), libc::EISDIR);
    let too_many = vec![IoSlice::new(b"x"); 1025];
    assert_eq!(errno(writev(disk_file().as_fd(), &too_many, 0, PLAIN)), libc::EINVAL);
}

#[test]
fn files_sync_and_pipes_do_not() {
    let file = disk_file();
    write(file.as_fd(), b"abc", 0, PLAIN).unwrap();
    fsync(file.as_fd()).unwrap();
    fdatasync(file.as_fd()).unwrap();
    let (reader, _writer) = pipe_ends();
    assert_eq!(errno(fsync(reader.as_fd())), libc::EINVAL);
    assert_eq!(errno(fdatasync(reader.as_fd())), libc::EINVAL);
}

#[test]
fn a_signal_does_not_end_a_read() {
    let (reader, writer) = pipe_ends();
    let read = under_signals(move || {
        // The bytes come when several signals have.
        let late = thread::spawn(move || {
            thread::sleep(std::time::Duration::from_millis(30));
            write(writer.as_fd(), b"late", NO_OFFSET, PLAIN).unwrap()
        });
        let read = read_vec(reader.as_fd(), NO_OFFSET, PLAIN).unwrap();
        assert_eq!(late.join().unwrap(), 4);
        read
    });
    assert_eq!(read, b"late");
}
