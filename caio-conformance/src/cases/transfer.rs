//! Bytes go in and come out.

use super::cases;
use crate::context::Context;
use crate::fixture::Fixture;
use crate::kit::{block_on, join, join_all, pattern};
use caio_core::SharedFd;

cases!("transfer":
    quick_start, sizes, read_into_fills_the_capacity, short_read_at_the_end, end_of_file, zero_bytes, overwrite, holes,
    large, many_files, many_blocks, written_by_others, unlinked, read_past_a_shrunk_end,
);

/// Reads until `len` bytes are there, or the file ends.
pub(super) async fn read_all(ctx: &Context, fd: &SharedFd, offset: u64, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < len {
        let part = ctx.read(len - all.len(), fd, offset + all.len() as u64).await.expect("it reads");
        if part.is_empty() {
            break;
        }
        all.extend_from_slice(&part);
    }
    all
}

/// Writes all of it.
pub(super) async fn write_all(ctx: &Context, fd: &SharedFd, offset: u64, data: &[u8]) {
    let mut done = 0;
    while done < data.len() {
        let (written, _) = ctx.write(data[done..].to_vec(), fd, offset + done as u64).await;
        done += written.expect("it writes");
    }
}

/// The calls of the quick start do what it says.
fn quick_start(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("test.file", b"");
    block_on(async {
        let (written, buf) = ctx.write(b"Hello world", &fd, 0).await;
        assert_eq!((written.unwrap(), buf), (11, b"Hello world"));
        assert_eq!(ctx.read(32, &fd, 0).await.unwrap(), b"Hello world");
        let (read, buf) = ctx.read_into(Vec::with_capacity(4096), &fd, 0).await;
        assert_eq!((read.unwrap(), buf.as_slice()), (11, &b"Hello world"[..]));
        ctx.fdsync(&fd).await.unwrap();
        ctx.fsync(&fd).await.unwrap();
        let (first, second) = join(ctx.write(b"Hello from ", &fd, 0), ctx.write(b"async world", &fd, 11)).await;
        assert_eq!((first.0.unwrap(), second.0.unwrap()), (11, 11));
        assert_eq!(ctx.read(32, &fd, 0).await.unwrap(), b"Hello from async world");
    });
}

/// Any length survives a round trip.
fn sizes(fixture: &Fixture) {
    let ctx = fixture.context();
    for len in [1, 2, 511, 512, 513, 4095, 4096, 4097, 65_536, 65_537, 1 << 20, (1 << 20) + 1] {
        let data = pattern(len);
        let fd = fixture.file("sizes", b"");
        block_on(write_all(&ctx, &fd, 0, &data));
        assert!(fixture.content("sizes") == data, "{len} bytes written");
        assert!(block_on(read_all(&ctx, &fd, 0, len + 10)) == data, "{len} bytes read");
    }
}

/// The room of a read is the capacity, whatever the length is before.
fn read_into_fills_the_capacity(fixture: &Fixture) {
    let ctx = fixture.context();
    let data = pattern(4096);
    let fd = fixture.file("full", &data);
    for before in [0, 17, 4096] {
        let mut buf = Vec::with_capacity(4096);
        buf.resize(before, 0xee);
        let (read, buf) = block_on(ctx.read_into(buf, &fd, 0));
        assert_eq!(read.unwrap(), buf.len());
        assert!(!buf.is_empty() && buf == data[..buf.len()], "the bytes of the file");
    }
}

/// A read that reaches the end of the file is short.
fn short_read_at_the_end(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("short", b"0123456789");
    let (read, buf) = block_on(ctx.read_into(Vec::with_capacity(32), &fd, 4));
    assert_eq!((read.unwrap(), buf.as_slice()), (6, &b"456789"[..]));
    assert_eq!(block_on(ctx.read(32, &fd, 9)).unwrap(), b"9");
}

/// At the end of the file and beyond, a read is an Ok of nothing.
fn end_of_file(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("end", b"0123456789");
    for offset in [10, 11, 4096, 1 << 40] {
        assert_eq!(block_on(ctx.read(32, &fd, offset)).unwrap(), b"");
        let (read, buf) = block_on(ctx.read_into(vec![7; 32], &fd, offset));
        assert_eq!((read.unwrap(), buf.len()), (0, 0));
    }
}

/// Transfers of nothing are legal and do nothing.
fn zero_bytes(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("zero", b"0123456789");
    for offset in [0, 5, 10, 100] {
        assert_eq!(block_on(ctx.read(0, &fd, offset)).unwrap(), b"");
        let (read, buf) = block_on(ctx.read_into(Vec::new(), &fd, offset));
        assert_eq!((read.unwrap(), buf.len()), (0, 0));
        assert_eq!(block_on(ctx.write(b"", &fd, offset)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.readv(Vec::<Vec<u8>>::new(), &fd, offset)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.writev(Vec::<Vec<u8>>::new(), &fd, offset)).0.unwrap(), 0);
        assert_eq!(block_on(ctx.writev(vec![Vec::<u8>::new(); 3], &fd, offset)).0.unwrap(), 0);
    }
    assert_eq!(fixture.content("zero"), b"0123456789");
}

/// A write in the middle leaves the rest.
fn overwrite(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("middle", b"0123456789");
    assert_eq!(block_on(ctx.write(b"abc", &fd, 4)).0.unwrap(), 3);
    assert_eq!(fixture.content("middle"), b"0123abc789");
}

/// A write beyond the end leaves a hole that reads as zeros.
fn holes(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("hole", b"start");
    assert_eq!(block_on(ctx.write(b"end", &fd, 100_000)).0.unwrap(), 3);
    let all = block_on(read_all(&ctx, &fd, 0, 200_000));
    assert_eq!(all.len(), 100_003);
    assert!(all.starts_with(b"start") && all.ends_with(b"end"));
    assert!(all[5..100_000].iter().all(|byte| *byte == 0), "the hole is zeros");
}

/// Megabytes at a time.
fn large(fixture: &Fixture) {
    let ctx = fixture.context();
    let data = pattern(8 << 20);
    let fd = fixture.file("large", b"");
    block_on(write_all(&ctx, &fd, 0, &data));
    assert!(fixture.content("large") == data);
    assert!(block_on(read_all(&ctx, &fd, 0, data.len())) == data);
}

/// Many files at once.
fn many_files(fixture: &Fixture) {
    let ctx = fixture.context();
    let names: Vec<String> = (0..40).map(|index| format!("many-{index}")).collect();
    let files: Vec<SharedFd> = names.iter().map(|name| fixture.file(name, name.as_bytes())).collect();
    let reads = files.iter().map(|fd| ctx.read(64, fd, 0)).collect();
    for (name, read) in names.iter().zip(block_on(join_all(reads))) {
        assert_eq!(read.unwrap(), name.as_bytes());
    }
}

/// Many blocks of one file at once, each to its place.
fn many_blocks(fixture: &Fixture) {
    let ctx = fixture.context();
    let data = pattern(200 * 1000);
    let fd = fixture.file("blocks", b"");
    let writes =
        data.chunks(1000).enumerate().map(|(index, block)| ctx.write(block.to_vec(), &fd, index as u64 * 1000));
    for (written, _) in block_on(join_all(writes.collect())) {
        assert_eq!(written.unwrap(), 1000);
    }
    assert!(fixture.content("blocks") == data);
    let reads = (0..200).map(|index| ctx.read(1000, &fd, index * 1000)).collect();
    let read: Vec<u8> = block_on(join_all(reads)).into_iter().flat_map(Result::unwrap).collect();
    assert!(read == data);
}

/// What others write meanwhile is read.
fn written_by_others(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("others", b"before");
    assert_eq!(block_on(ctx.read(64, &fd, 0)).unwrap(), b"before");
    std::fs::write(fixture.path("others"), b"and after").unwrap();
    assert_eq!(block_on(ctx.read(64, &fd, 0)).unwrap(), b"and after");
}

/// A file without a name works as long as it is open.
fn unlinked(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("unlinked", b"");
    if std::fs::remove_file(fixture.path("unlinked")).is_err() {
        crate::fixture::skip("an open file cannot be removed here");
    }
    assert_eq!(block_on(ctx.write(b"still here", &fd, 0)).0.unwrap(), 10);
    assert_eq!(block_on(ctx.read(64, &fd, 0)).unwrap(), b"still here");
}

/// What was cut off is not read any more.
fn read_past_a_shrunk_end(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("shrunk", &pattern(10_000));
    assert_eq!(block_on(ctx.read(1000, &fd, 9000)).unwrap().len(), 1000);
    fd.file().set_len(9100).unwrap();
    assert_eq!(block_on(ctx.read(1000, &fd, 9000)).unwrap(), pattern(9100)[9000..]);
    assert_eq!(block_on(ctx.read(1000, &fd, 9100)).unwrap(), b"");
}
