//! Where in the file a transfer happens.

use super::cases;
use crate::fixture::{Fixture, skip};
use crate::kit::{assert_kind, assert_same_error, block_on, pattern, read_at, write_at};
use caio_core::NO_OFFSET;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

cases!("offsets":
    beyond_four_gib, across_four_gib, largest, beyond_the_largest, write_at_the_largest, no_offset_reads_on,
    no_offset_writes_on, position_is_left_alone,
);

/// The largest offset that a file has.
const LARGEST: u64 = i64::MAX as u64;

/// Ends the case where a hole takes space.
fn needs_holes() {
    if cfg!(windows) {
        skip("files have no holes by default here");
    }
}

/// An offset does not fit into 32 bits.
fn beyond_four_gib(fixture: &Fixture) {
    needs_holes();
    let ctx = fixture.context();
    let fd = fixture.file("far", b"near");
    let far = 5 << 30;
    assert_eq!(block_on(ctx.write(b"far away", &fd, far)).0.unwrap(), 8);
    assert_eq!(fd.file().metadata().unwrap().len(), far + 8);
    assert_eq!(block_on(ctx.read(64, &fd, far)).unwrap(), b"far away");
    assert_eq!(block_on(ctx.read(4, &fd, 0)).unwrap(), b"near");
    assert_eq!(block_on(ctx.read(4, &fd, far & 0xffff_ffff)).unwrap(), [0; 4]);
}

/// A transfer begins below 4 GiB and ends above.
fn across_four_gib(fixture: &Fixture) {
    needs_holes();
    let ctx = fixture.context();
    let fd = fixture.file("across", b"");
    let (begin, data) = ((4 << 30) - 1000, pattern(2000));
    assert_eq!(block_on(ctx.write(data.clone(), &fd, begin)).0.unwrap(), 2000);
    assert_eq!(block_on(ctx.read(3000, &fd, begin)).unwrap(), data);
    assert_eq!(block_on(ctx.read(3000, &fd, 4 << 30)).unwrap(), data[1000..]);
}

/// The largest offset is legal; what comes of it is what comes of the system call.
fn largest(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("largest", b"data");
    let plain = read_at(fd.file(), &mut [0; 16], LARGEST);
    let ours = block_on(ctx.read(16, &fd, LARGEST)).map(|data| data.len());
    match plain {
        Ok(bytes) => assert_eq!(ours.unwrap(), bytes),
        Err(error) => assert_same_error("a read at i64::MAX", ours, Err::<(), _>(error)),
    }
}

/// An offset that no file has is refused, and the buffer comes back.
fn beyond_the_largest(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("beyond", b"data");
    for offset in [LARGEST + 1, LARGEST + 4096, u64::MAX - 1] {
        assert_kind("read", block_on(ctx.read(16, &fd, offset)), ErrorKind::InvalidInput);
        let (read, buf) = block_on(ctx.read_into(vec![1, 2, 3], &fd, offset));
        assert_kind("read_into", read, ErrorKind::InvalidInput);
        assert_eq!(buf, [1, 2, 3]);
        let (written, buf) = block_on(ctx.write(vec![4, 5], &fd, offset));
        assert_kind("write", written, ErrorKind::InvalidInput);
        assert_eq!(buf, [4, 5]);
        let (read, bufs) = block_on(ctx.readv(vec![vec![6], vec![7]], &fd, offset));
        assert_kind("readv", read, ErrorKind::InvalidInput);
        assert_eq!(bufs, [[6], [7]]);
        let (written, bufs) = block_on(ctx.writev(vec![vec![8], vec![9]], &fd, offset));
        assert_kind("writev", written, ErrorKind::InvalidInput);
        assert_eq!(bufs, [[8], [9]]);
    }
    assert_eq!(fixture.content("beyond"), b"data");
}

/// A file that would become too large fails as the system call does.
fn write_at_the_largest(fixture: &Fixture) {
    needs_holes();
    let ctx = fixture.context();
    let fd = fixture.file("huge", b"data");
    for offset in [LARGEST, LARGEST - 1, LARGEST - 4096] {
        let plain = write_at(fd.file(), b"too far", offset);
        if plain.is_ok() {
            skip("this file system has files that large");
        }
        let (written, buf) = block_on(ctx.write(b"too far", &fd, offset));
        assert_same_error("a write near i64::MAX", written, plain);
        assert_eq!(buf, b"too far");
    }
    assert_eq!(fixture.content("huge"), b"data");
}

/// Without an offset a read goes on from the file's own position.
fn no_offset_reads_on(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("position", b"0123456789");
    assert_eq!(block_on(ctx.read(4, &fd, NO_OFFSET)).unwrap(), b"0123");
    let (read, buf) = block_on(ctx.read_into(Vec::with_capacity(3), &fd, NO_OFFSET));
    assert_eq!((read.unwrap(), buf.as_slice()), (buf.len(), &b"456789"[..buf.len()]));
    let next = (4 + buf.len()) as u64;
    assert_eq!(fd.file().stream_position().unwrap(), next);
    assert_eq!(block_on(ctx.read(64, &fd, NO_OFFSET)).unwrap(), b"0123456789"[next as usize..]);
    assert_eq!(block_on(ctx.read(64, &fd, NO_OFFSET)).unwrap(), b"");
}

/// Without an offset a write goes on from the file's own position.
fn no_offset_writes_on(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("onward", b"0123456789");
    fd.file().seek(SeekFrom::Start(2)).unwrap();
    assert_eq!(block_on(ctx.write(b"ab", &fd, NO_OFFSET)).0.unwrap(), 2);
    assert_eq!(block_on(ctx.writev(vec![b"c", b"d"], &fd, NO_OFFSET)).0.unwrap(), 2);
    assert_eq!(fixture.content("onward"), b"01abcd6789");
    assert_eq!(fd.file().stream_position().unwrap(), 6);
}

/// A transfer at an offset does not move the file's own position.
fn position_is_left_alone(fixture: &Fixture) {
    if cfg!(windows) {
        skip("a positional transfer moves the position here");
    }
    let ctx = fixture.context();
    let fd = fixture.file("alone", b"0123456789");
    fd.file().seek(SeekFrom::Start(3)).unwrap();
    assert_eq!(block_on(ctx.read(2, &fd, 7)).unwrap(), b"78");
    assert_eq!(block_on(ctx.write(b"x", &fd, 0)).0.unwrap(), 1);
    assert_eq!(block_on(ctx.readv(vec![vec![0]], &fd, 5)).0.unwrap(), 1);
    let mut next = [0; 2];
    fd.file().read_exact(&mut next).unwrap();
    assert_eq!(&next, b"34");
}
