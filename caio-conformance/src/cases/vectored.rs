//! Several buffers in one transfer.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{assert_kind, block_on, pattern};
use caio_core::{AlignedBuf, IoBuf, MAX_BUFFERS};
use std::io::ErrorKind;

cases!("vectored":
    round_trip, short_read, end_of_file, empty_buffers_between, one_buffer, most_buffers, too_many_buffers, mixed_slices,
);

/// Buffers are written in turn and read in turn.
fn round_trip(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("round", b"");
    let parts = vec![pattern(10), pattern(4096), pattern(1)];
    let (written, parts) = block_on(ctx.writev(parts, &fd, 5));
    assert_eq!(written.unwrap(), 4107);
    assert_eq!(fixture.content("round")[5..], parts.concat());
    let bufs = vec![Vec::with_capacity(4000), Vec::with_capacity(107)];
    let (read, bufs) = block_on(ctx.readv(bufs, &fd, 5));
    assert_eq!(read.unwrap(), 4107);
    assert_eq!(bufs.iter().map(Vec::len).collect::<Vec<_>>(), [4000, 107]);
    assert_eq!(bufs.concat(), parts.concat());
}

/// A short read fills the first buffers, and no other shows anything.
fn short_read(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("short", b"0123456789");
    let bufs = vec![vec![0xee; 4], vec![0xee; 4], vec![0xee; 4], vec![0xee; 4]];
    let (read, bufs) = block_on(ctx.readv(bufs, &fd, 0));
    assert_eq!(read.unwrap(), 10);
    assert_eq!(bufs, [&b"0123"[..], b"4567", b"89", b""]);
}

/// At the end of the file all buffers are empty.
fn end_of_file(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("end", b"0123456789");
    let (read, bufs) = block_on(ctx.readv(vec![vec![0xee; 4], vec![0xee; 4]], &fd, 10));
    assert_eq!(read.unwrap(), 0);
    assert!(bufs.iter().all(Vec::is_empty));
}

/// Empty buffers among others are passed over.
fn empty_buffers_between(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("between", b"");
    let parts: Vec<&'static [u8]> = vec![b"", b"ab", b"", b"", b"cd", b""];
    assert_eq!(block_on(ctx.writev(parts, &fd, 0)).0.unwrap(), 4);
    let bufs = vec![Vec::new(), Vec::with_capacity(1), Vec::new(), vec![0; 3]];
    let (read, bufs) = block_on(ctx.readv(bufs, &fd, 0));
    assert_eq!(read.unwrap(), 4);
    assert_eq!(bufs, [&b""[..], b"a", b"", b"bcd"]);
}

/// One buffer is a vector too.
fn one_buffer(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("one", b"");
    assert_eq!(block_on(ctx.writev(vec![String::from("single")], &fd, 0)).0.unwrap(), 6);
    let (read, bufs) = block_on(ctx.readv(vec![vec![0; 16].into_boxed_slice()], &fd, 0));
    assert_eq!((read.unwrap(), &bufs[0][..6]), (6, &b"single"[..]));
}

/// The most buffers that a system call takes.
fn most_buffers(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("most", b"");
    let data = pattern(MAX_BUFFERS * 3);
    let parts = data.chunks(3).map(<[u8]>::to_vec).collect();
    assert_eq!(block_on(ctx.writev(parts, &fd, 0)).0.unwrap(), data.len());
    let bufs = (0..MAX_BUFFERS).map(|_| Vec::with_capacity(3)).collect();
    let (read, bufs) = block_on(ctx.readv(bufs, &fd, 0));
    assert_eq!(read.unwrap(), data.len());
    assert!(bufs.concat() == data);
}

/// More than that are refused, and come back.
fn too_many_buffers(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("too-many", b"data");
    let (written, parts) = block_on(ctx.writev(vec![b"x"; MAX_BUFFERS + 1], &fd, 0));
    assert_kind("writev", written, ErrorKind::InvalidInput);
    assert_eq!(parts.len(), MAX_BUFFERS + 1);
    let (read, bufs) = block_on(ctx.readv(vec![vec![1]; MAX_BUFFERS + 1], &fd, 0));
    assert_kind("readv", read, ErrorKind::InvalidInput);
    assert!(bufs.len() == MAX_BUFFERS + 1 && bufs.iter().all(|buf| *buf == [1]));
    assert_eq!(fixture.content("too-many"), b"data");
}

/// Parts of buffers, and aligned ones.
fn mixed_slices(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("parts", b"");
    let parts = vec![b"--ab--".to_vec().slice(2..4), b"--cdef".to_vec().slice(2..)];
    assert_eq!(block_on(ctx.writev(parts, &fd, 0)).0.unwrap(), 6);
    let bufs = vec![AlignedBuf::new(4, 512), AlignedBuf::new(4, 4096)];
    let (read, bufs) = block_on(ctx.readv(bufs, &fd, 0));
    assert_eq!((read.unwrap(), &bufs[0][..], &bufs[1][..]), (6, &b"abcd"[..], &b"ef"[..]));
}
