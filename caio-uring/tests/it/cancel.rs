//! Cancels: what waits ends, what has ended stays, a stale one hits nobody, none is lost.

use crate::support::ring;
use caio_conformance::kit::{pipe, until, within};
use caio_core::{NO_OFFSET, Outcome};
use futures::executor::block_on;
use std::io::{ErrorKind, Write};
use std::time::Duration;

#[test]
fn a_read_of_an_empty_pipe_is_cancelled() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    let (reader, mut writer) = pipe();
    let read = ctx.read_into(vec![0; 8], &reader, NO_OFFSET).submit();
    assert!(matches!(within(Duration::from_secs(10), move || block_on(read.cancel())), Outcome::Cancelled(_)));
    assert_eq!(ctx.in_flight(), 0);
    writer.write_all(b"kept").expect("a write");
    assert_eq!(block_on(ctx.read(8, &reader, NO_OFFSET)).expect("a read"), b"kept");
}

#[test]
fn a_read_that_takes_too_long_times_out() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    let (reader, _writer) = pipe();
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let read = ctx.read(8, &reader, NO_OFFSET).timeout(timeout);
        assert_eq!(
            within(Duration::from_secs(10), move || block_on(read)).expect_err("no data").kind(),
            ErrorKind::TimedOut
        );
    }
    until("the room is given back", || ctx.in_flight() == 0);
}

/// As many cancels as operations, all at once, with a submission queue that they do not fit.
#[test]
fn a_thousand_cancels_at_once_are_all_heard() {
    let Some(builder) = ring() else { return };
    let ctx = builder.max_requests(1000).build().expect("a context");
    let (reader, _writer) = pipe();
    let mut batch = ctx.batch();
    let reads: Vec<_> = (0..1000).map(|_| batch.read_into(vec![0; 8], &reader, NO_OFFSET)).collect();
    batch.submit().expect("a batch");
    assert_eq!(ctx.in_flight(), 1000);
    let cancels = futures::future::join_all(reads.into_iter().map(caio_core::Operation::cancel));
    let outcomes = within(Duration::from_secs(20), move || block_on(cancels));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Cancelled(_))));
    assert_eq!((ctx.in_flight(), ctx.stats().cancelled), (0, 1000));
}

/// Operations come and go in the same places of the table while others are dropped, which cancels them late.
#[test]
fn a_late_cancel_hits_nobody_else() {
    let Some(builder) = ring() else { return };
    let ctx = builder.max_requests(4).build().expect("a context");
    within(Duration::from_secs(30), move || {
        let (reader, mut writer) = pipe();
        for round in 0..2000_u32 {
            writer.write_all(&round.to_ne_bytes()).expect("a write");
            let mut read = ctx.read(4, &reader, NO_OFFSET).submit();
            let kept = block_on(&mut read).expect("a read that nobody cancelled");
            assert_eq!(kept, round.to_ne_bytes());
            drop(ctx.read(4, &reader, NO_OFFSET).submit());
            until("the dropped one has ended", || ctx.in_flight() == 0);
        }
    });
}
