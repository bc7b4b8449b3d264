//! Kernels that are older, and hosts that forbid: what a system call would not do, another does.

use super::cases;
use crate::fixture::{Fixture, skip};
use crate::kit::seccomp::{Refused, refuse};
use crate::kit::{block_on, join_all, park, pattern, pipe, pipe_to, until};
use caio_core::{IoPriority, NO_OFFSET, SharedFd};
use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

cases!("refused":
    no_preadv2_and_pwritev2, no_nowait_at_all, no_nowait_for_pipes, no_ioprio_set, no_statx, no_eventfd_later,
);

/// `RWF_NOWAIT`, which kernels that are older do not know for some files.
const NOWAIT: u32 = 8;

/// Refuses calls in this thread, and in all those that the library starts from it.
fn under(refused: &[Refused]) {
    if let Err(error) = refuse(refused) {
        skip(format!("no seccomp filter can be set here: {error}"));
    }
}

/// Files, pipes and devices work as elsewhere: what would wait waits, and what would not is one piece.
fn all_works(fixture: &Fixture) {
    let ctx = fixture.context();
    let data = pattern(60_000);
    let fd = fixture.file("file", b"");
    assert_eq!(block_on(ctx.write(data.clone(), &fd, 0)).0.expect("a write"), data.len());
    assert!(block_on(ctx.read(100_000, &fd, 0)).expect("a read") == data);
    assert!(block_on(ctx.read(100_000, &fd, 0).submit()).expect("a read") == data);
    block_on(ctx.fdsync(&fd)).expect("a sync");
    let null: SharedFd = File::options().write(true).open("/dev/null").expect("the device").into();
    assert_eq!(block_on(ctx.write(data.clone(), &null, NO_OFFSET)).0.expect("a write"), data.len());
    assert_eq!(block_on(ctx.write(data.clone(), &null, 0).submit()).0.expect("a write"), data.len());

    let (writer, mut out) = pipe_to();
    assert_eq!(block_on(ctx.write(data.clone(), &writer, NO_OFFSET)).0.expect("a write to an empty pipe"), data.len());
    let mut got = vec![0; data.len()];
    out.read_exact(&mut got).expect("what was written");
    assert!(got == data);
    for submitted in [false, true] {
        let (reader, mut writer) = pipe();
        let mut read = ctx.read(64, &reader, NO_OFFSET);
        if submitted {
            read = read.submit();
        }
        park(&mut read);
        writer.write_all(b"late").expect("room");
        assert_eq!(block_on(read).expect("a read"), b"late");
        let late = ctx.read(64, &reader, NO_OFFSET).timeout(Duration::from_millis(10));
        block_on(late).expect_err("there is nothing");
        until("it has ended", || ctx.in_flight() == 0);
        assert_eq!(block_on(ctx.read(0, &reader, NO_OFFSET)).expect("nothing"), b"");
    }
    many_streams(&ctx);
}

/// Pipes that are written and read by the same context.
fn many_streams(ctx: &crate::context::Context) {
    let pipes: Vec<(SharedFd, SharedFd)> = (0..10)
        .map(|_| {
            let (reader, writer) = pipe();
            (reader, writer.into())
        })
        .collect();
    for round in 0..5_u8 {
        let reads = pipes.iter().map(|(reader, _)| ctx.read(64, reader, NO_OFFSET).submit()).collect();
        let writes = pipes.iter().map(|(_, writer)| ctx.write(vec![round; 10], writer, NO_OFFSET)).collect();
        for (written, _) in block_on(join_all(writes)) {
            assert_eq!(written.expect("a write"), 10);
        }
        for read in block_on(join_all(reads)) {
            assert_eq!(read.expect("a read"), [round; 10]);
        }
    }
}

/// Kernels before 4.6, and sandboxes, have no such calls.
fn no_preadv2_and_pwritev2(fixture: &Fixture) {
    under(&[Refused::always(libc::SYS_preadv2, libc::ENOSYS), Refused::always(libc::SYS_pwritev2, libc::ENOSYS)]);
    all_works(fixture);
}

/// No file knows how not to wait.
fn no_nowait_at_all(fixture: &Fixture) {
    under(&[
        Refused::with_bits(libc::SYS_preadv2, 5, NOWAIT, libc::EOPNOTSUPP),
        Refused::with_bits(libc::SYS_pwritev2, 5, NOWAIT, libc::EOPNOTSUPP),
    ]);
    all_works(fixture);
}

/// Pipes alone do not, as before Linux 6.5: an offset of -1 tells them.
fn no_nowait_for_pipes(fixture: &Fixture) {
    under(&[
        Refused::above(libc::SYS_preadv2, 3, u32::MAX - 1, libc::EOPNOTSUPP),
        Refused::above(libc::SYS_pwritev2, 3, u32::MAX - 1, libc::EOPNOTSUPP),
    ]);
    all_works(fixture);
}

/// A priority is a hint: where it cannot be set, the operation is carried out.
fn no_ioprio_set(fixture: &Fixture) {
    under(&[Refused::always(libc::SYS_ioprio_set, libc::EPERM)]);
    let ctx = fixture.context();
    let fd = fixture.file("file", b"data");
    for priority in [IoPriority::BestEffort(7), IoPriority::Idle, IoPriority::RealTime(3)] {
        assert_eq!(block_on(ctx.read(8, &fd, 0).priority(priority)).expect("a read"), b"data");
        assert_eq!(block_on(ctx.read(8, &fd, 0).priority(priority).submit()).expect("a read"), b"data");
        assert_eq!(block_on(ctx.write(b"data", &fd, 0).priority(priority)).0.expect("a write"), 4);
        block_on(ctx.fsync(&fd).priority(priority)).expect("a sync");
    }
    all_works(fixture);
}

/// Facts of files that cannot be asked the new way are asked the old way.
fn no_statx(fixture: &Fixture) {
    under(&[Refused::always(libc::SYS_statx, libc::ENOSYS)]);
    all_works(fixture);
}

/// A context that is there goes on when no more descriptors of its own kind can be had.
fn no_eventfd_later(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("file", b"data");
    block_on(ctx.fsync(&fd)).expect("a sync");
    let (first, mut first_writer) = pipe();
    let mut waits = ctx.read(8, &first, NO_OFFSET);
    park(&mut waits);
    under(&[Refused::always(libc::SYS_eventfd2, libc::EMFILE), Refused::always(libc::SYS_epoll_create1, libc::EMFILE)]);
    let (reader, mut writer) = pipe();
    let mut read = ctx.read(8, &reader, NO_OFFSET);
    park(&mut read);
    writer.write_all(b"x").expect("room");
    first_writer.write_all(b"y").expect("room");
    assert_eq!(block_on(read).expect("a read"), b"x");
    assert_eq!(block_on(waits).expect("a read"), b"y");
    assert_eq!(block_on(ctx.read(8, &fd, 0)).expect("a read"), b"data");
}
