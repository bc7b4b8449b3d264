//! A write that waits, to every kind of file that takes no more: it can be given up, it holds up nobody, and it goes on when there is room.

use super::sinks::{self, Sink};
use super::{Case, Company};
use crate::context::Context;
use crate::fixture::Fixture;
use crate::kit::{assert_kind, block_on, join_all, park, until};
use crate::meter::Timed;
use caio_core::{NO_OFFSET, Outcome, Settings};
use std::io::ErrorKind;
use std::time::Duration;

/// Each behaviour with each kind of sink.
macro_rules! cases {
    ($($sink:ident),+ $(,)?) => {
        /// The cases of this theme.
        pub(super) const CASES: &[Case] = &[$(
            case(concat!("full::", stringify!($sink), "_times_out"), |f| times_out(f, sinks::$sink(f))),
            case(concat!("full::", stringify!($sink), "_is_cancelled"), |f| is_cancelled(f, sinks::$sink(f))),
            case(concat!("full::", stringify!($sink), "_is_dropped"), |f| is_dropped(f, sinks::$sink(f))),
            case(concat!("full::", stringify!($sink), "_goes_on"), |f| goes_on(f, sinks::$sink(f))),
            case(concat!("full::", stringify!($sink), "_takes_no_worker"), |f| takes_no_worker(f, sinks::$sink(f))),
        )+];
    };
}

cases!(pipe_end, nonblocking_pipe, fifo, unix_stream, tcp, unix_datagrams, seqpacket, terminal, event_counter);

/// A case that may run beside others.
const fn case(name: &'static str, run: fn(&Fixture)) -> Case {
    Case { name, company: Company::Others, run }
}

/// So many writes come out in the end, and no more.
fn assert_out(sink: &mut Sink, writes: usize) {
    let mut out = 0;
    until("what was written comes out", || {
        out += (sink.drain)();
        out >= writes * sink.unit
    });
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(out + (sink.drain)(), writes * sink.unit, "more came out than {writes} writes have written");
}

/// What was given up is not written; a later write is, once there is room.
fn assert_given_up(ctx: &Context, sink: &mut Sink) {
    until("their room is given back", || ctx.in_flight() == 0);
    let write = ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET).submit();
    assert_out(sink, 1);
    assert_eq!(block_on(write).0.expect("a write"), sink.data.len());
}

/// A time limit ends it, its buffer comes back, and nothing is written.
fn times_out(fixture: &Fixture, mut sink: Sink) {
    let ctx = fixture.context();
    for timeout in [Duration::ZERO, Duration::from_millis(50)] {
        let (written, data) = block_on(ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET).timeout(timeout));
        assert_kind("a write", written, ErrorKind::TimedOut);
        assert_eq!(data, sink.data);
    }
    assert_given_up(&ctx, &mut sink);
}

/// A cancel ends it, its buffer comes back, and nothing is written.
fn is_cancelled(fixture: &Fixture, mut sink: Sink) {
    let ctx = fixture.context();
    let mut parked = ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET);
    park(&mut parked);
    let submitted = ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET).submit();
    for write in [submitted, parked] {
        match block_on(write.cancel()) {
            Outcome::Cancelled(data) => assert_eq!(data, sink.data),
            Outcome::Completed(written, _) => panic!("there was no room: {written:?}"),
        }
    }
    assert_given_up(&ctx, &mut sink);
}

/// One that is dropped is carried out nevertheless, when there is room.
fn is_dropped(fixture: &Fixture, mut sink: Sink) {
    let ctx = fixture.context();
    let mut parked = ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET);
    park(&mut parked);
    drop((parked, ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET).submit()));
    assert_out(&mut sink, 2);
    until("their room is given back", || ctx.in_flight() == 0);
}

/// It goes on when there is room, whether it was polled or not.
fn goes_on(fixture: &Fixture, mut sink: Sink) {
    let ctx = fixture.context();
    let mut parked = ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET);
    park(&mut parked);
    let submitted = ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET).submit();
    assert_out(&mut sink, 2);
    for write in [submitted, parked] {
        assert_eq!(block_on(write).0.expect("a write"), sink.data.len());
    }
}

/// More of them than there are workers hold up no other file.
fn takes_no_worker(fixture: &Fixture, mut sink: Sink) {
    let mut settings = Settings::default();
    settings.pool_size = Some(2);
    let ctx = fixture.open(&settings).expect("the backend opens");
    let fd = fixture.file("other", b"data");
    let mut waiting: Vec<_> = (0..6).map(|_| ctx.write(sink.data.clone(), &sink.fd, NO_OFFSET)).collect();
    waiting.iter_mut().for_each(|write| drop(park(write)));
    for _ in 0..5 {
        assert_eq!(block_on(ctx.write(b"more", &fd, 0)).0.expect("a write"), 4);
        block_on(ctx.fsync(&fd)).expect("a sync");
        assert_eq!(block_on(ctx.read(8, &fd, 0)).expect("a read"), b"more");
    }
    let cancels = waiting.into_iter().map(Timed::cancel).collect();
    for outcome in block_on(join_all(cancels)) {
        assert!(matches!(outcome, Outcome::Cancelled(_)), "there was no room: {outcome:?}");
    }
    assert_given_up(&ctx, &mut sink);
}
