//! Cancels: what waits ends, what has ended stays, a stale one hits nobody, none is lost.

use crate::support::{BLOCK, queued_file, ring};
use caio_conformance::kit::{pipe, until, within};
use caio_core::{AlignedBuf, NO_OFFSET, Operation, Outcome};
use futures::executor::block_on;
use futures::future::join_all;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How much each read of a [`queued_file`] reads.
const LONG: usize = 256 * 1024;

/// Streams are the pool's, whatever the routes say.
#[test]
fn a_read_of_an_empty_pipe_never_goes_to_the_ring() {
    let Some(builder) = ring() else { return };
    let submissions = builder.submissions();
    let ctx = builder.build().expect("a context");
    let before = submissions.load(Ordering::Relaxed);
    let (reader, mut writer) = pipe();
    let read = ctx.read_into(vec![0; 8], &reader, NO_OFFSET).submit();
    assert!(matches!(within(Duration::from_secs(10), move || block_on(read.cancel())), Outcome::Cancelled(_)));
    assert_eq!(ctx.in_flight(), 0);
    assert_eq!(block_on(ctx.read(0, &reader, NO_OFFSET)).expect("a read of nothing"), b"");
    writer.write_all(b"kept").expect("a write");
    assert_eq!(block_on(ctx.read(8, &reader, NO_OFFSET)).expect("a read"), b"kept");
    assert_eq!(submissions.load(Ordering::Relaxed), before);
}

/// A dropped read is cancelled, and the kernel knows it by the name that it was submitted with.
#[test]
fn cancels_of_direct_reads_find_them() {
    let (Some(builder), Some(fd)) = (ring(), queued_file(LONG)) else { return };
    let ctx = builder.max_requests(1000).build().expect("a context");
    within(Duration::from_secs(120), move || {
        // The disk may be faster than we are, but not every time.
        for _ in 0..20 {
            let mut batch = ctx.batch();
            let reads: Vec<_> = (0..1000).map(|_| batch.read_into(AlignedBuf::new(LONG, BLOCK), &fd, 0)).collect();
            batch.submit().expect("a batch");
            drop(reads);
            until("all have ended", || ctx.in_flight() == 0);
            if ctx.stats().cancelled != 0 {
                return;
            }
        }
        panic!("no cancel has found anything: {:?}", ctx.stats());
    });
}

/// As many cancels as operations, all at once, with a submission queue that they do not fit.
#[test]
fn a_thousand_cancels_at_once_are_all_heard() {
    let (Some(builder), Some(fd)) = (ring(), queued_file(LONG)) else { return };
    let ctx = builder.max_requests(1000).build().expect("a context");
    within(Duration::from_secs(60), move || {
        let mut batch = ctx.batch();
        let reads: Vec<_> = (0..1000).map(|_| batch.read_into(AlignedBuf::new(LONG, BLOCK), &fd, 0)).collect();
        batch.submit().expect("a batch");
        let outcomes = block_on(join_all(reads.into_iter().map(Operation::cancel)));
        let cancelled = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Cancelled(_))).count();
        for outcome in outcomes {
            if let Outcome::Completed(read, buf) = outcome {
                assert_eq!(read.expect("a read that was faster"), LONG);
                assert!(buf.iter().all(|byte| *byte == 7));
            }
        }
        assert_eq!((ctx.in_flight(), ctx.stats().cancelled), (0, cancelled as u64));
    });
}

/// Operations come and go in the same places of the table while others are dropped, which cancels
/// them late.
#[test]
fn a_late_cancel_hits_nobody_else() {
    let (Some(builder), Some(fd)) = (ring(), queued_file(LONG)) else { return };
    let ctx = builder.max_requests(4).build().expect("a context");
    within(Duration::from_secs(60), move || {
        for _ in 0..500 {
            let dropped: Vec<_> = (0..3).map(|_| ctx.read(BLOCK, &fd, 0).submit()).collect();
            let kept = ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, 0).submit();
            drop(dropped);
            let (read, buf) = block_on(kept);
            assert_eq!(read.expect("a read that nobody cancelled"), BLOCK);
            assert!(buf.iter().all(|byte| *byte == 7));
        }
        until("the dropped ones have ended", || ctx.in_flight() == 0);
    });
}
