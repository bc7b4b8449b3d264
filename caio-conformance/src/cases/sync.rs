//! Bringing files to the disk.

use super::cases;
use super::transfer::write_all;
use crate::fixture::Fixture;
use crate::kit::{block_on, join_all, pattern};

cases!("sync": fsync, fdsync, after_writes, many_at_once, with_writes_in_flight, nothing_to_do);

/// A file is brought to the disk.
fn fsync(fixture: &Fixture) {
    let fd = fixture.file("fsync", b"data");
    block_on(fixture.context().fsync(&fd)).unwrap();
}

/// Its data is brought to the disk.
fn fdsync(fixture: &Fixture) {
    let fd = fixture.file("fdsync", b"data");
    block_on(fixture.context().fdsync(&fd)).unwrap();
}

/// Writes that were awaited are covered, and others see them.
fn after_writes(fixture: &Fixture) {
    let ctx = fixture.context();
    let (fd, data) = (fixture.file("covered", b""), pattern(300_000));
    block_on(async {
        write_all(&ctx, &fd, 0, &data).await;
        ctx.fdsync(&fd).await.unwrap();
        fd.file().set_len(400_000).unwrap();
        ctx.fsync(&fd).await.unwrap();
    });
    let content = fixture.content("covered");
    assert!(content.len() == 400_000 && content.starts_with(&data));
}

/// Concurrent syncs of one file and of several all succeed.
fn many_at_once(fixture: &Fixture) {
    let ctx = fixture.context();
    let files = [fixture.file("one", b"1"), fixture.file("two", b"2")];
    let syncs = (0..64).map(|index| {
        let fd = &files[usize::from(index % 3 == 0)];
        if index % 2 == 0 { ctx.fsync(fd) } else { ctx.fdsync(fd) }
    });
    for synced in block_on(join_all(syncs.collect())) {
        synced.unwrap();
    }
}

/// A sync and writes in flight are unordered, but all happen.
fn with_writes_in_flight(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("mixed", b"");
    let writes: Vec<_> =
        (0..32).map(|index| ctx.write(vec![index; 100], &fd, u64::from(index) * 100).submit()).collect();
    let sync = ctx.fsync(&fd).submit();
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.unwrap(), 100);
    }
    block_on(sync).unwrap();
    let expected: Vec<u8> = (0..32).flat_map(|index| [index; 100]).collect();
    assert_eq!(fixture.content("mixed"), expected);
}

/// A sync of a clean file, and one after another.
fn nothing_to_do(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("clean", b"");
    for _ in 0..10 {
        block_on(ctx.fsync(&fd)).unwrap();
        block_on(ctx.fdsync(&fd)).unwrap();
    }
}
