//! Files opened with `O_DIRECT`.

use super::cases;
use crate::fixture::{Fixture, skip};
use crate::kit::{assert_same_error, block_on, join_all, pattern, read_at, write_at};
use caio_core::{AlignedBuf, IoBuf, SharedFd, errno};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

cases!("direct":
    round_trip, many_at_once, vectored, short_at_the_end, misaligned_memory, misaligned_offset, misaligned_length,
    with_syncs, beside_the_cache,
);

/// What every disk's blocks divide.
const BLOCK: usize = 4096;

/// A new file with this content, opened with `O_DIRECT`.
fn direct(fixture: &Fixture, name: &str, content: &[u8]) -> SharedFd {
    fixture.file(name, content).file().sync_all().unwrap();
    match File::options().read(true).write(true).custom_flags(libc::O_DIRECT).open(fixture.path(name)) {
        Ok(file) => file.into(),
        Err(error) => skip(format!("this file system has no O_DIRECT: {error}")),
    }
}

/// An aligned buffer with this content.
fn aligned(content: &[u8]) -> AlignedBuf {
    let mut buf = AlignedBuf::new(content.len(), BLOCK);
    buf.extend_from_slice(content);
    buf
}

/// Aligned blocks go in and come out.
fn round_trip(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, "round", b"");
    assert!(fd.is_direct());
    let data = pattern(16 * BLOCK);
    let (written, buf) = block_on(ctx.write(aligned(&data), &fd, 0));
    assert_eq!(written.unwrap(), data.len());
    let (read, buf) = block_on(ctx.read_into(buf.slice(..4 * BLOCK), &fd, 2 * BLOCK as u64));
    assert_eq!(read.unwrap(), 4 * BLOCK);
    assert!(buf[..] == data[2 * BLOCK..6 * BLOCK]);
    assert!(fixture.content("round") == data);
}

/// Many blocks at once, each to its place.
fn many_at_once(fixture: &Fixture) {
    let ctx = fixture.bounded(32);
    let fd = direct(fixture, "many", b"");
    let data = pattern(100 * BLOCK);
    fd.file().set_len(data.len() as u64).unwrap();
    let place = |index: usize| (index * BLOCK) as u64;
    let writes = data.chunks(BLOCK).enumerate().map(|(index, block)| ctx.write(aligned(block), &fd, place(index)));
    for (written, _) in block_on(join_all(writes.collect())) {
        assert_eq!(written.unwrap(), BLOCK);
    }
    let reads = (0..100).map(|index| ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, place(index))).collect();
    for (index, (read, buf)) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!(read.unwrap(), BLOCK);
        assert!(buf[..] == data[index * BLOCK..][..BLOCK], "block {index}");
    }
}

/// Several aligned buffers in one transfer.
fn vectored(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, "vectored", b"");
    let data = pattern(6 * BLOCK);
    let parts = vec![aligned(&data[..BLOCK]), aligned(&data[BLOCK..5 * BLOCK]), aligned(&data[5 * BLOCK..])];
    assert_eq!(block_on(ctx.writev(parts, &fd, 0)).0.unwrap(), data.len());
    let bufs = vec![AlignedBuf::new(2 * BLOCK, BLOCK), AlignedBuf::new(4 * BLOCK, BLOCK)];
    let (read, bufs) = block_on(ctx.readv(bufs, &fd, 0));
    assert_eq!(read.unwrap(), data.len());
    assert!(bufs[0][..] == data[..2 * BLOCK] && bufs[1][..] == data[2 * BLOCK..]);
}

/// The last block of a file may be short, and beyond it is nothing.
fn short_at_the_end(fixture: &Fixture) {
    let ctx = fixture.context();
    let data = pattern(BLOCK + 100);
    let fd = direct(fixture, "short", &data);
    let (read, buf) = block_on(ctx.read_into(AlignedBuf::new(4 * BLOCK, BLOCK), &fd, BLOCK as u64));
    assert_eq!(read.unwrap(), 100);
    assert!(buf[..] == data[BLOCK..]);
    let (read, buf) = block_on(ctx.read_into(buf, &fd, 2 * BLOCK as u64));
    assert_eq!((read.unwrap(), buf.len()), (0, 0));
}

/// What is misaligned fails as the system call does, and the text tells what is needed.
fn assert_misaligned(what: &str, ours: io::Result<usize>, plain: io::Result<usize>) {
    match plain {
        Ok(_) => match ours {
            Ok(_) => skip("this file system takes what is misaligned"),
            Err(error) => panic!("{what}: the system call takes it, we do not: {error}"),
        },
        Err(_) => {
            let (number, text) = match &ours {
                Ok(_) => panic!("{what}: the system call refuses it, we do not"),
                Err(error) => (errno(error), error.to_string()),
            };
            assert_eq!(number, Some(libc::EINVAL));
            assert!(text.contains("align"), "{what}: the text names the alignment: {text}");
            assert_same_error(what, ours, plain);
        }
    }
}

/// Memory that begins anywhere.
fn misaligned_memory(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, "memory", &pattern(4 * BLOCK));
    let mut other = AlignedBuf::zeroed(BLOCK + 1, BLOCK);
    let plain = read_at(fd.file(), &mut other[1..], 0);
    let (ours, buf) = block_on(ctx.read_into(AlignedBuf::zeroed(BLOCK + 1, BLOCK).slice(1..), &fd, 0));
    assert_eq!(buf.into_inner().capacity(), BLOCK + 1);
    assert_misaligned("a read", ours, plain);
    let plain = write_at(fd.file(), &other[1..], 0);
    let ours = block_on(ctx.write(other.slice(1..), &fd, 0)).0;
    assert_misaligned("a write", ours, plain);
}

/// An offset that is no multiple of a block.
fn misaligned_offset(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, "offset", &pattern(4 * BLOCK));
    let mut other = AlignedBuf::zeroed(BLOCK, BLOCK);
    let plain = read_at(fd.file(), &mut other, 17);
    let (ours, buf) = block_on(ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, 17));
    assert_eq!(buf.capacity(), BLOCK);
    assert_misaligned("a read", ours, plain);
}

/// A length that is no multiple of a block.
fn misaligned_length(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = direct(fixture, "length", &pattern(4 * BLOCK));
    let mut other = AlignedBuf::zeroed(100, BLOCK);
    let plain = read_at(fd.file(), &mut other, 0);
    let (ours, _) = block_on(ctx.read_into(AlignedBuf::new(100, BLOCK), &fd, 0));
    assert_misaligned("a read", ours, plain);
}

/// Syncs among transfers.
fn with_syncs(fixture: &Fixture) {
    let ctx = fixture.bounded(8);
    let fd = direct(fixture, "syncs", b"");
    let data = pattern(BLOCK);
    for index in 0..20 {
        let (written, _) = block_on(ctx.write(aligned(&data), &fd, index * BLOCK as u64));
        assert_eq!(written.unwrap(), BLOCK);
        block_on(if index % 2 == 0 { ctx.fsync(&fd) } else { ctx.fdsync(&fd) }).unwrap();
    }
    assert!(fixture.content("syncs") == data.repeat(20));
}

/// Direct and cached handles of different files in one context.
fn beside_the_cache(fixture: &Fixture) {
    let ctx = fixture.bounded(4);
    let data = pattern(8 * BLOCK);
    let (fd, cached) = (direct(fixture, "direct", &data), fixture.file("cached", &data));
    let place = |index: usize| (index % 8 * BLOCK) as u64;
    let file = |index: usize| if index % 3 == 0 { &cached } else { &fd };
    let reads = (0..48).map(|index| ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), file(index), place(index))).collect();
    for (index, (read, buf)) in block_on(join_all(reads)).into_iter().enumerate() {
        assert_eq!(read.unwrap(), BLOCK);
        assert!(buf[..] == data[index % 8 * BLOCK..][..BLOCK]);
    }
}
