//! When an operation's time begins, and what ends with it.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{assert_kind, block_on, join_all, park, pipe, until};
use caio_core::NO_OFFSET;
use std::io::{ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

cases!("times":
    begins_with_the_first_poll, begins_with_the_submission, begins_with_the_batch, ends_unpolled, of_a_batch_unpolled,
    of_what_waits_for_room, each_its_own, many_at_once,
);

/// A time that is up soon.
const SOON: Duration = Duration::from_millis(40);
/// A time in which a busy machine does what it is to do.
const ENOUGH: Duration = Duration::from_millis(400);

/// An operation that nobody has started has all of its time.
fn begins_with_the_first_poll(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let mut read = ctx.read(8, &reader, NO_OFFSET).timeout(ENOUGH);
    thread::sleep(ENOUGH);
    park(&mut read);
    writer.write_all(b"in time").expect("room");
    assert_eq!(block_on(read).expect("its time has just begun"), b"in time");
}

/// One that was submitted loses it although nobody polls.
fn begins_with_the_submission(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let read = ctx.read(8, &reader, NO_OFFSET).timeout(SOON).submit();
    until("its time is up", || ctx.in_flight() == 0);
    writer.write_all(b"late").expect("room");
    assert_kind("a read", block_on(read), ErrorKind::TimedOut);
    assert_eq!(block_on(ctx.read(8, &reader, NO_OFFSET)).expect("nothing is lost"), b"late");
}

/// The time of an operation of a batch begins when the batch is submitted: not before, and not at its first poll.
fn begins_with_the_batch(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let mut batch = ctx.batch();
    let early = batch.read(8, &reader, NO_OFFSET).timeout(ENOUGH);
    thread::sleep(ENOUGH);
    batch.submit().expect("a batch");
    writer.write_all(b"in time").expect("room");
    assert_eq!(block_on(early).expect("its time has just begun"), b"in time");

    let mut batch = ctx.batch();
    let late = batch.read(8, &reader, NO_OFFSET).timeout(SOON);
    batch.submit().expect("a batch");
    until("its time is up", || ctx.in_flight() == 0);
    writer.write_all(b"late").expect("room");
    assert_kind("a read", block_on(late), ErrorKind::TimedOut);
    assert_eq!(block_on(ctx.read(8, &reader, NO_OFFSET)).expect("nothing is lost"), b"late");
}

/// When the time is up the operation ends, whether anybody polls it or not.
fn ends_unpolled(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, _writer) = pipe();
    let read = ctx.read(8, &reader, NO_OFFSET).timeout(SOON).submit();
    let mut parked = ctx.read(8, &reader, NO_OFFSET).timeout(SOON);
    park(&mut parked);
    assert_eq!(ctx.in_flight(), 2);
    until("both have ended", || ctx.in_flight() == 0);
    assert_kind("a read", block_on(read), ErrorKind::TimedOut);
    assert_kind("a read", block_on(parked), ErrorKind::TimedOut);
}

/// So does one of a batch.
fn of_a_batch_unpolled(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, _writer) = pipe();
    let mut batch = ctx.batch();
    let reads = (0..4).map(|_| batch.read(8, &reader, NO_OFFSET).timeout(SOON)).collect();
    batch.submit().expect("a batch");
    until("all have ended", || ctx.in_flight() == 0);
    for read in block_on(join_all(reads)) {
        assert_kind("a read", read, ErrorKind::TimedOut);
    }
}

/// The time that an operation waits for room counts.
fn of_what_waits_for_room(fixture: &Fixture) {
    let ctx = fixture.bounded(1);
    let (reader, _writer) = pipe();
    let reads = (0..10).map(|_| ctx.read(8, &reader, NO_OFFSET).timeout(SOON).submit()).collect();
    let begun = Instant::now();
    for read in block_on(join_all(reads)) {
        assert_kind("a read", read, ErrorKind::TimedOut);
    }
    assert!(begun.elapsed() < 9 * SOON, "they waited for each other: {:?}", begun.elapsed());
    until("all room is given back", || ctx.in_flight() == 0 && ctx.queued() == 0);
}

/// A long time does not outlast a short one.
fn each_its_own(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let long = ctx.read(8, &reader, NO_OFFSET).timeout(Duration::from_secs(3600)).submit();
    let short = ctx.read(8, &reader, NO_OFFSET).timeout(Duration::from_millis(10)).submit();
    let never = ctx.read(8, &reader, NO_OFFSET).timeout(Duration::MAX).submit();
    assert_kind("the short one", block_on(short), ErrorKind::TimedOut);
    writer.write_all(b"12345678").expect("room");
    writer.write_all(b"12345678").expect("room");
    assert_eq!(block_on(long).expect("a read").len(), 8);
    assert_eq!(block_on(never).expect("a read").len(), 8);
}

/// Thousands of times are up at once.
fn many_at_once(fixture: &Fixture) {
    let ctx = fixture.bounded(4096);
    let (reader, _writer) = pipe();
    let reads = (0..3000).map(|_| ctx.read_into(vec![7; 8], &reader, NO_OFFSET).timeout(SOON).submit()).collect();
    for (read, buf) in block_on(join_all(reads)) {
        assert_kind("a read", read, ErrorKind::TimedOut);
        assert_eq!(buf.len(), 8);
    }
    until("all room is given back", || ctx.in_flight() == 0);
}
