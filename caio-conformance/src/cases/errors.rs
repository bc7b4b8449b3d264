//! What cannot be done fails as the system call fails, and the buffer comes back.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{assert_kind, assert_same_error, block_on, read_at, write_at};
use caio_core::SharedFd;
use std::fs::File;

cases!("errors":
    read_of_a_write_only_file, write_to_a_read_only_file, sync_of_a_read_only_file, directory, errors_do_not_stick,
    the_same_buffer_comes_back, closed_context,
);

/// Reading what was opened for writing alone.
fn read_of_a_write_only_file(fixture: &Fixture) {
    let ctx = fixture.context();
    let _made = fixture.file("write-only", b"data");
    let fd: SharedFd = File::options().write(true).open(fixture.path("write-only")).unwrap().into();
    let plain = || read_at(fd.file(), &mut [0; 8], 0);
    assert_same_error("read", block_on(ctx.read(8, &fd, 0)), plain());
    let (read, buf) = block_on(ctx.read_into(vec![1, 2, 3], &fd, 0));
    assert_same_error("read_into", read, plain());
    assert_eq!(buf.len(), 3);
    let (read, bufs) = block_on(ctx.readv(vec![vec![4], vec![5]], &fd, 0));
    assert_same_error("readv", read, plain());
    assert_eq!(bufs.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

/// Writing what was opened for reading alone.
fn write_to_a_read_only_file(fixture: &Fixture) {
    let ctx = fixture.context();
    let _made = fixture.file("read-only", b"data");
    let fd: SharedFd = File::open(fixture.path("read-only")).unwrap().into();
    let plain = || write_at(fd.file(), b"no", 0);
    let (written, buf) = block_on(ctx.write(b"no", &fd, 0));
    assert_same_error("write", written, plain());
    assert_eq!(buf, b"no");
    let (written, bufs) = block_on(ctx.writev(vec![b"n", b"o"], &fd, 0));
    assert_same_error("writev", written, plain());
    assert_eq!(bufs, [b"n", b"o"]);
    assert_eq!(fixture.content("read-only"), b"data");
}

/// A sync of what was opened for reading alone ends as the system call does.
fn sync_of_a_read_only_file(fixture: &Fixture) {
    let ctx = fixture.context();
    let _made = fixture.file("read-only", b"data");
    let fd: SharedFd = File::open(fixture.path("read-only")).unwrap().into();
    match fd.file().sync_all() {
        Ok(()) => block_on(ctx.fsync(&fd)).unwrap(),
        plain => assert_same_error("fsync", block_on(ctx.fsync(&fd)), plain),
    }
}

/// A directory is no file.
fn directory(fixture: &Fixture) {
    let ctx = fixture.context();
    let Ok(directory) = File::open(fixture.path("")) else {
        crate::fixture::skip("a directory cannot be opened here");
    };
    let fd: SharedFd = directory.into();
    let (read, buf) = block_on(ctx.read_into(vec![9; 16], &fd, 0));
    assert_same_error("read", read, read_at(fd.file(), &mut [0; 16], 0));
    assert_eq!(buf.len(), 16);
    let written = block_on(ctx.write(b"no", &fd, 0)).0;
    assert_same_error("write", written, write_at(fd.file(), b"no", 0));
}

/// After an error the same context and the same file work on.
fn errors_do_not_stick(fixture: &Fixture) {
    let ctx = fixture.bounded(2);
    let fd = fixture.file("works", b"data");
    let bad: SharedFd = File::options().write(true).open(fixture.path("works")).unwrap().into();
    for _ in 0..20 {
        block_on(ctx.read(8, &bad, 0)).unwrap_err();
        assert_eq!(block_on(ctx.read(8, &fd, 0)).unwrap(), b"data");
    }
    crate::kit::until("nothing is in flight", || ctx.in_flight() == 0);
}

/// The buffer that comes back from a failed read is the one that was given: same memory, same length.
fn the_same_buffer_comes_back(fixture: &Fixture) {
    let ctx = fixture.context();
    let _made = fixture.file("kept", b"data");
    let fd: SharedFd = File::options().write(true).open(fixture.path("kept")).unwrap().into();
    let mut buf = Vec::with_capacity(4096);
    buf.extend_from_slice(b"mine");
    let (address, capacity) = (buf.as_ptr() as usize, buf.capacity());
    let (read, buf) = block_on(ctx.read_into(buf, &fd, 0));
    read.unwrap_err();
    assert_eq!((buf.as_ptr() as usize, buf.capacity(), buf.len()), (address, capacity, 4));
}

/// A context that was closed takes nothing more, and gives the buffers back.
fn closed_context(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("closed", b"data");
    block_on(ctx.close());
    assert_kind("read", block_on(ctx.read(8, &fd, 0)), std::io::ErrorKind::Other);
    let (written, buf) = block_on(ctx.write(b"late".to_vec(), &fd, 0));
    assert_kind("write", written, std::io::ErrorKind::Other);
    assert_eq!(buf, b"late");
    assert_kind("fsync", block_on(ctx.fsync(&fd)), std::io::ErrorKind::Other);
    assert_kind("submitted", block_on(ctx.read(8, &fd, 0).submit()), std::io::ErrorKind::Other);
    assert_eq!(fixture.content("closed"), b"data");
}
