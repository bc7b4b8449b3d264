//! A read that waits, of every kind of file that has nothing to read: it can be given up, it holds up nobody, and it gets what comes.

use super::sources::{self, Source};
use super::{Case, Company};
use crate::context::Context;
use crate::fixture::Fixture;
use crate::kit::{assert_kind, block_on, park, until};
use caio_core::{NO_OFFSET, Outcome, Settings, SharedFd};
use std::io::ErrorKind;
use std::time::Duration;

/// Each behaviour with each kind of source.
macro_rules! cases {
    ($($source:ident),+ $(,)?) => {
        /// The cases of this theme.
        pub(super) const CASES: &[Case] = &[$(
            case(concat!("waiting::", stringify!($source), "_times_out"), |f| times_out(f, sources::$source(f))),
            case(concat!("waiting::", stringify!($source), "_is_cancelled"), |f| is_cancelled(f, sources::$source(f))),
            case(concat!("waiting::", stringify!($source), "_is_dropped"), |f| is_dropped(f, sources::$source(f))),
            case(concat!("waiting::", stringify!($source), "_is_fed"), |f| is_fed(f, sources::$source(f))),
            case(concat!("waiting::", stringify!($source), "_is_fed_late"), |f| is_fed_late(f, sources::$source(f))),
            case(concat!("waiting::", stringify!($source), "_takes_no_worker"), |f| takes_no_worker(f, sources::$source(f))),
            case(concat!("waiting::", stringify!($source), "_ends_with_its_context"), |f| ends_with_its_context(f, sources::$source(f))),
        )+];
    };
}

cases!(
    pipe_end,
    nonblocking_pipe,
    fifo,
    unix_stream,
    unix_datagrams,
    seqpacket,
    tcp,
    udp,
    netlink,
    event_counter,
    nonblocking_event_counter,
    timer,
    nonblocking_timer,
    watch,
    terminal,
    terminal_master,
    kernel_log,
);

/// A case that may run beside others.
const fn case(name: &'static str, run: fn(&Fixture)) -> Case {
    Case { name, company: Company::Others, run }
}

/// The next read gets what was fed.
fn assert_fed(ctx: &Context, source: &mut Source, number: u8) {
    let expected = (source.feed)(number);
    let data = block_on(ctx.read(source.len, &source.fd, NO_OFFSET)).expect("a read of what is there");
    assert_is(&data, expected);
}

/// What was read is what was fed.
fn assert_is(data: &[u8], expected: Option<Vec<u8>>) {
    match expected {
        Some(expected) => assert_eq!(data, expected),
        None => assert!(!data.is_empty(), "nothing was read"),
    }
}

/// A time limit ends it, its buffer comes back, and what comes later is not lost.
fn times_out(fixture: &Fixture, mut source: Source) {
    let ctx = fixture.context();
    for timeout in [Duration::ZERO, Duration::from_millis(50)] {
        let read = ctx.read_into(vec![7; source.len], &source.fd, NO_OFFSET).timeout(timeout);
        let (read, buf) = block_on(read);
        assert_kind("a read", read, ErrorKind::TimedOut);
        assert_eq!(buf.len(), source.len);
    }
    let submitted = ctx.read(source.len, &source.fd, NO_OFFSET).submit().timeout(Duration::from_millis(20));
    assert_kind("a submitted read", block_on(submitted), ErrorKind::TimedOut);
    until("their room is given back", || ctx.in_flight() == 0);
    assert_fed(&ctx, &mut source, 1);
}

/// A cancel ends it, its buffer comes back, and what comes later is not lost.
fn is_cancelled(fixture: &Fixture, mut source: Source) {
    let ctx = fixture.context();
    let mut parked = ctx.read_into(vec![7; source.len], &source.fd, NO_OFFSET);
    park(&mut parked);
    let submitted = ctx.read_into(vec![7; source.len], &source.fd, NO_OFFSET).submit();
    for read in [submitted, parked] {
        match block_on(read.cancel()) {
            Outcome::Cancelled(buf) => assert_eq!(buf.len(), source.len),
            Outcome::Completed(read, _) => panic!("there was nothing to read: {read:?}"),
        }
    }
    until("their room is given back", || ctx.in_flight() == 0);
    assert_fed(&ctx, &mut source, 2);
}

/// A drop ends it, and what comes later is not lost.
fn is_dropped(fixture: &Fixture, mut source: Source) {
    let ctx = fixture.context();
    let mut parked = ctx.read(source.len, &source.fd, NO_OFFSET);
    park(&mut parked);
    drop((parked, ctx.read(source.len, &source.fd, NO_OFFSET).submit()));
    until("their room is given back", || ctx.in_flight() == 0);
    assert_fed(&ctx, &mut source, 3);
}

/// It gets what comes while it waits, again and again.
fn is_fed(fixture: &Fixture, mut source: Source) {
    let ctx = fixture.context();
    for number in 0..5 {
        let mut read = ctx.read_into(vec![0xee; source.len], &source.fd, NO_OFFSET);
        park(&mut read);
        let expected = (source.feed)(number);
        let (read, buf) = block_on(read);
        assert_eq!(read.expect("a read"), buf.len());
        assert_is(&buf, expected);
    }
}

/// It gets what was there before, and what comes while nobody polls it.
fn is_fed_late(fixture: &Fixture, mut source: Source) {
    let ctx = fixture.context();
    assert_fed(&ctx, &mut source, 4);
    let read = ctx.read(source.len, &source.fd, NO_OFFSET).submit();
    let expected = (source.feed)(5);
    assert_is(&block_on(read).expect("a read"), expected);
}

/// More of them than there are workers hold up no other file, whether somebody waits for them or not.
fn takes_no_worker(fixture: &Fixture, mut source: Source) {
    let mut settings = Settings::default();
    settings.pool_size = Some(2);
    let ctx = fixture.open(&settings).expect("the backend opens");
    let fd = fixture.file("other", b"data");
    let mut waiting: Vec<_> = (0..6).map(|_| ctx.read(source.len, &source.fd, NO_OFFSET)).collect();
    waiting.iter_mut().for_each(|read| drop(park(read)));
    let goes_on = || {
        assert_eq!(block_on(ctx.write(b"more", &fd, 0)).0.expect("a write"), 4);
        block_on(ctx.fsync(&fd)).expect("a sync");
        assert_eq!(block_on(ctx.read(8, &fd, 0)).expect("a read"), b"more");
    };
    (0..5).for_each(|_| goes_on());
    drop(waiting);
    (0..5).for_each(|_| goes_on());
    until("all room is given back", || ctx.in_flight() == 0);
    assert_fed(&ctx, &mut source, 6);
}

/// When its context goes it ends, and lets go of the file.
fn ends_with_its_context(fixture: &Fixture, source: Source) {
    let Source { fd, len, feed } = source;
    let mut left = Some(fd);
    for polled in [true, false] {
        let ctx = fixture.bounded(8);
        let fd = left.as_ref().expect("the file");
        let mut reads: Vec<_> = (0..3).map(|_| ctx.read(len, fd, NO_OFFSET)).collect();
        if polled {
            reads.iter_mut().for_each(|read| drop(park(read)));
        }
        let reads: Vec<_> = reads.into_iter().map(|read| read.submit()).collect();
        drop((reads, ctx));
        until("nobody holds the file", || match left.take().map(SharedFd::try_unwrap) {
            Some(Ok(file)) => {
                left = Some(file.into());
                true
            }
            Some(Err(held)) => {
                left = Some(held);
                false
            }
            None => false,
        });
    }
    drop(feed);
}
