//! The kinds of buffers, and what of them can be seen.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{block_on, pattern};
use caio_core::{AlignedBuf, IoBuf};
use std::sync::Arc;

cases!("buffers":
    nothing_beyond_what_was_read, longer_vector_is_cut, memory_is_reused, boxed_slice, string, statics, shared_slice,
    aligned, slice_up_to, slice_between, slice_shortens_nothing, slice_of_a_slice, write_takes_the_length_not_the_capacity, growing_by_slices,
);

/// No byte beyond those that were read can be seen, whatever the memory had before.
fn nothing_beyond_what_was_read(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("little", b"little");
    for _ in 0..50 {
        drop(vec![0xa5_u8; 65_536]); // leaves its bytes for the next allocation
        let data = block_on(ctx.read(65_536, &fd, 0)).unwrap();
        assert_eq!(data, b"little");
        let (read, buf) = block_on(ctx.read_into(Vec::with_capacity(65_536), &fd, 3));
        assert_eq!((read.unwrap(), buf.as_slice()), (3, &b"tle"[..]));
    }
}

/// A vector that was longer than what was read is cut to it.
fn longer_vector_is_cut(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("cut", b"0123");
    let (read, buf) = block_on(ctx.read_into(vec![0xee; 100], &fd, 0));
    assert_eq!((read.unwrap(), buf.as_slice()), (4, &b"0123"[..]));
}

/// The buffer that comes back is the one that was given, in the same place.
fn memory_is_reused(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("reused", &pattern(10_000));
    let mut buf = Vec::with_capacity(1000);
    let address = buf.as_ptr() as usize;
    for round in 0..10 {
        let (read, back) = block_on(ctx.read_into(buf, &fd, round * 1000));
        assert_eq!((read.unwrap(), back.as_ptr() as usize, back.capacity()), (1000, address, 1000));
        let (written, again) = block_on(ctx.write(back, &fd, 10_000 + round * 1000));
        assert_eq!((written.unwrap(), again.as_ptr() as usize), (1000, address));
        buf = again;
    }
    let content = fixture.content("reused");
    assert!(content[..10_000] == content[10_000..]);
}

/// A boxed slice keeps its length.
fn boxed_slice(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("boxed", b"0123");
    let (read, buf) = block_on(ctx.read_into(vec![0xee; 6].into_boxed_slice(), &fd, 0));
    assert_eq!((read.unwrap(), buf.len(), &buf[..4]), (4, 6, &b"0123"[..]));
    let (written, buf) = block_on(ctx.write(buf, &fd, 1));
    assert_eq!(written.unwrap(), 6);
    assert_eq!(fixture.content("boxed")[1..], buf[..]);
}

/// A string is written as its bytes.
fn string(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("string", b"");
    let (written, text) = block_on(ctx.write("grüße".to_owned(), &fd, 0));
    assert_eq!((written.unwrap(), text.as_str()), (7, "grüße"));
    assert_eq!(fixture.content("string"), "grüße".as_bytes());
}

/// What lives for ever is written without a copy.
fn statics(fixture: &Fixture) {
    static TEXT: [u8; 3] = *b"abc";
    let ctx = fixture.context();
    let fd = fixture.file("statics", b"");
    assert_eq!(block_on(ctx.write(&TEXT, &fd, 0)).0.unwrap(), 3);
    assert_eq!(block_on(ctx.write(&TEXT[1..], &fd, 3)).0.unwrap(), 2);
    assert_eq!(block_on(ctx.write("de", &fd, 5)).0.unwrap(), 2);
    assert_eq!(fixture.content("statics"), b"abcbcde");
}

/// One shared slice serves many writes at once.
fn shared_slice(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("shared", b"");
    let data: Arc<[u8]> = pattern(512).into();
    let writes = (0..8).map(|index| ctx.write(Arc::clone(&data), &fd, index * 512)).collect();
    for (written, _) in block_on(crate::kit::join_all(writes)) {
        assert_eq!(written.unwrap(), 512);
    }
    assert_eq!(fixture.content("shared"), data.repeat(8));
    crate::kit::until("the operations let go of the slice", || Arc::strong_count(&data) == 1);
}

/// An aligned buffer is read into and written from.
fn aligned(fixture: &Fixture) {
    let ctx = fixture.context();
    let data = pattern(5000);
    let fd = fixture.file("aligned", &data);
    let (read, buf) = block_on(ctx.read_into(AlignedBuf::new(8192, 4096), &fd, 0));
    assert_eq!((read.unwrap(), buf.len(), buf.as_ptr() as usize % 4096), (5000, 5000, 0));
    assert!(buf[..] == data);
    assert_eq!(block_on(ctx.write(buf, &fd, 5000)).0.unwrap(), 5000);
    assert!(fixture.content("aligned") == data.repeat(2));
}

/// A part of a buffer narrows a transfer.
fn slice_up_to(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("up-to", b"0123456789");
    let (read, buf) = block_on(ctx.read_into(Vec::with_capacity(100).slice(..4), &fd, 2));
    assert_eq!((read.unwrap(), &buf[..]), (4, &b"2345"[..]));
    let buf = buf.into_inner();
    assert_eq!((buf.as_slice(), buf.capacity()), (&b"2345"[..], 100));
    let (written, buf) = block_on(ctx.write(buf.slice(..2), &fd, 0));
    assert_eq!((written.unwrap(), buf.into_inner().len()), (2, 4));
    assert_eq!(fixture.content("up-to"), b"2323456789");
}

/// A read into the middle of a buffer leaves what is before it and behind it.
fn slice_between(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("between", b"0123456789");
    let (read, buf) = block_on(ctx.read_into(b"head----tail".to_vec().slice(4..8), &fd, 0));
    assert_eq!((read.unwrap(), &buf[..]), (4, &b"0123"[..]));
    assert_eq!(buf.into_inner(), b"head0123tail");
    let (written, _) = block_on(ctx.write(b"head----tail".slice(3..6), &fd, 7));
    assert_eq!(written.unwrap(), 3);
    assert_eq!(fixture.content("between"), b"0123456d--");
}

/// Whatever is read into a part, what lies behind it stays, and the buffer stays as long as it was.
fn slice_shortens_nothing(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("part", b"0123456789");
    let (read, part) = block_on(ctx.read_into(vec![7; 8192].slice(..4096), &fd, 0));
    assert_eq!((read.unwrap(), &part[..]), (10, &b"0123456789"[..]));
    let whole = part.into_inner();
    assert_eq!((whole.len(), &whole[..10]), (8192, &b"0123456789"[..]));
    assert!(whole[4096..].iter().all(|byte| *byte == 7), "what lies behind the part has changed");
    let (read, part) = block_on(ctx.read_into(whole.slice(100..200), &fd, 10));
    assert_eq!((read.unwrap(), part.len()), (0, 0));
    assert_eq!(part.into_inner().len(), 8192);
    let parts = vec![vec![1; 100].slice(..5), vec![2; 100].slice(50..60)];
    let (read, parts) = block_on(ctx.readv(parts, &fd, 0));
    assert_eq!(read.unwrap(), 10);
    let wholes: Vec<_> = parts.into_iter().map(caio_core::Slice::into_inner).collect();
    assert_eq!((wholes[0].len(), &wholes[0][..5], wholes[0][5]), (100, &b"01234"[..], 1));
    assert_eq!((wholes[1].len(), &wholes[1][50..55], wholes[1][60]), (100, &b"56789"[..], 2));
    let mut aligned = AlignedBuf::zeroed(8192, 4096);
    aligned.fill(9);
    let (read, part) = block_on(ctx.read_into(aligned.slice(..4096), &fd, 0));
    assert_eq!(read.unwrap(), 10);
    let whole = part.into_inner();
    assert_eq!((whole.len(), whole[8191]), (8192, 9));
}

/// Parts of parts.
fn slice_of_a_slice(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("nested", b"");
    let (written, part) = block_on(ctx.write(b"0123456789".to_vec().slice(2..8).slice(1..3), &fd, 0));
    assert_eq!((written.unwrap(), &part[..]), (2, &b"34"[..]));
    assert_eq!(part.into_inner().into_inner(), b"0123456789");
    assert_eq!(fixture.content("nested"), b"34");
}

/// A write takes what is initialised, not the room.
fn write_takes_the_length_not_the_capacity(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("length", b"");
    let mut buf = Vec::with_capacity(4096);
    buf.extend_from_slice(b"only this");
    assert_eq!(block_on(ctx.write(buf, &fd, 0)).0.unwrap(), 9);
    assert_eq!(fixture.content("length"), b"only this");
}

/// One vector is filled piece by piece, each read after what is there.
fn growing_by_slices(fixture: &Fixture) {
    let ctx = fixture.context();
    let data = pattern(10_000);
    let fd = fixture.file("growing", &data);
    let mut buf = Vec::with_capacity(10_000);
    while buf.len() < data.len() {
        let begin = buf.len();
        let end = (begin + 3000).min(data.len());
        let (read, part) = block_on(ctx.read_into(buf.slice(begin..end), &fd, begin as u64));
        assert_eq!(read.unwrap(), end - begin);
        buf = part.into_inner();
    }
    assert!(buf == data);
}
