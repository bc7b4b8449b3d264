//! Long reads whose end the backend reads while their beginning comes from the page cache.

use crate::mock::{Bell, Mock, assert_pending, file, open, poll};
use crate::tracked::Tracked;
use caio_conformance::kit::park;
use caio_core::{Context, Operation, Outcome, ReadInto};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::Poll;

/// A piece, of which one poll reads one.
const PIECE: usize = 64 * 1024;
/// The length of the reads.
const LEN: usize = 16 * PIECE;
/// More polls than a read has pieces.
const POLLS: usize = 20;

/// A context whose files are in the page cache up to here, and its backend.
fn cached(bytes: usize) -> (Context, Arc<Mock>) {
    let (ctx, mock) = open(8);
    mock.seen().cached = bytes as u64;
    (ctx, mock)
}

/// A read in two parts that was polled once, and where its second part begins; `None` (and a word about it) if it has but one.
fn start(ctx: &Context, mock: &Mock) -> Option<(Operation<ReadInto<Vec<u8>>>, usize)> {
    let mut read = ctx.read_into(Vec::with_capacity(LEN), &file(), 0);
    assert_pending(&mut read);
    let Some(&begin) = mock.out().first() else {
        println!("SKIP: with one core nothing is read in two parts");
        return None;
    };
    Some((read, begin as usize))
}

/// Polls until it has ended.
#[track_caller]
fn end<F: Future + Unpin>(mut future: F) -> F::Output {
    let bell = Arc::new(Bell::default());
    for _ in 0..POLLS {
        let before = bell.rings();
        match poll(&mut future, &bell) {
            Poll::Ready(output) => return output,
            Poll::Pending => assert!(bell.rings() > before, "nobody would poll it again"),
        }
    }
    panic!("it has not ended");
}

#[test]
fn both_parts_are_read_at_the_same_time() {
    let (ctx, mock) = cached(LEN);
    let Some((mut read, begin)) = start(&ctx, &mock) else { return };
    assert!(begin % PIECE == 0 && (LEN / 2..LEN).contains(&begin), "it begins at {begin}");
    park(&mut read);
    mock.finish(0, LEN - begin, 2);
    let (result, buf) = end(read);
    assert_eq!((result.unwrap(), buf.len()), (LEN, LEN));
    assert!(buf[..begin].iter().all(|byte| *byte == 1) && buf[begin..].iter().all(|byte| *byte == 2));
    assert_eq!(ctx.stats().bytes_read, LEN as u64);
    assert_eq!((ctx.stats().submitted, ctx.stats().completed), (1, 1));
}

#[test]
fn the_second_part_may_end_first() {
    let (ctx, mock) = cached(LEN);
    let Some((read, begin)) = start(&ctx, &mock) else { return };
    mock.finish(0, LEN - begin, 2);
    assert_eq!(end(read).0.unwrap(), LEN);
}

#[test]
fn the_file_may_end_in_the_second_part_or_fail_there() {
    let (ctx, mock) = cached(LEN);
    let Some((read, begin)) = start(&ctx, &mock) else { return };
    mock.finish(0, 7, 2);
    let (result, buf) = end(read);
    assert_eq!((result.unwrap(), buf.len()), (begin + 7, begin + 7));
    let Some((read, begin)) = start(&ctx, &mock) else { return };
    mock.fail(0, io::Error::from_raw_os_error(5));
    let (result, buf) = end(read);
    assert_eq!((result.unwrap(), buf.len()), (begin, begin), "what was read before a failure is kept");
}

/// What the page cache has lost meanwhile is read when the second part has ended: that part is in its place only then.
#[test]
fn a_hole_in_the_page_cache_is_filled() {
    let (ctx, mock) = cached(3 * PIECE);
    let Some((mut read, begin)) = start(&ctx, &mock) else { return };
    park(&mut read);
    assert_eq!(mock.count(), 1);
    mock.finish(0, LEN - begin, 2);
    (0..2).for_each(|_| assert_pending(&mut read));
    assert_eq!(mock.out(), [3 * PIECE as u64]);
    mock.finish(0, LEN - 3 * PIECE, 3);
    let (result, buf) = end(read);
    assert_eq!(result.unwrap(), LEN);
    assert!(buf[..3 * PIECE].iter().all(|byte| *byte == 1) && buf[3 * PIECE..].iter().all(|byte| *byte == 3));
}

/// A future that looks again until its second part has ended leaves that right to others.
#[test]
fn others_look_again_after_a_hole_was_filled() {
    let (ctx, mock) = cached(3 * PIECE);
    let Some((mut read, begin)) = start(&ctx, &mock) else { return };
    (0..4).for_each(|_| assert_pending(&mut read));
    mock.finish(0, LEN - begin, 2);
    (0..2).for_each(|_| assert_pending(&mut read));
    mock.finish(0, LEN - 3 * PIECE, 3);
    assert_eq!(end(read).0.unwrap(), LEN);
    let bell = Arc::new(Bell::default());
    let mut other = ctx.read_into(Vec::with_capacity(PIECE), &file(), LEN as u64);
    assert!(poll(&mut other, &bell).is_pending());
    assert_eq!(bell.rings(), 1, "it looks again");
}

#[test]
fn a_cancelled_read_has_read_what_comes_before_the_hole() {
    for (in_cache, expected) in [(LEN, None), (3 * PIECE, Some(3 * PIECE))] {
        let (ctx, mock) = cached(in_cache);
        let Some((read, begin)) = start(&ctx, &mock) else { return };
        let mut cancel = read.cancel();
        park(&mut cancel);
        assert_eq!(mock.seen().cancels.len(), 1);
        mock.end_cancelled(0);
        match end(cancel) {
            Outcome::Completed(result, buf) => {
                assert_eq!((result.unwrap(), buf.len()), (expected.unwrap_or(begin), expected.unwrap_or(begin)));
            }
            Outcome::Cancelled(_) => panic!("something was read"),
        }
    }
}

#[test]
fn the_memory_of_a_dropped_read_stays_until_the_second_part_has_ended() {
    let (ctx, mock) = cached(LEN);
    let (buf, drops) = Tracked::new(LEN);
    let mut read = ctx.read_into(buf, &file(), 0);
    (0..3).for_each(|_| assert_pending(&mut read));
    if mock.count() == 0 {
        return println!("SKIP: with one core nothing is read in two parts");
    }
    drop(read);
    assert_eq!((drops.count(), mock.seen().cancels.len()), (0, 1));
    let left = mock.seen().out[0].op().bytes();
    mock.finish(0, left, 2);
    assert_eq!(drops.count(), 1);
    assert_eq!(drops.shown(), 0, "not all before the second part was read");
}

#[test]
fn a_dropped_read_shows_what_was_read_from_its_start() {
    let (ctx, mock) = cached(LEN);
    let (buf, drops) = Tracked::new(LEN);
    let mut read = ctx.read_into(buf, &file(), 0);
    assert_pending(&mut read);
    if mock.count() == 0 {
        return println!("SKIP: with one core nothing is read in two parts");
    }
    park(&mut read);
    drop(read);
    let left = mock.seen().out[0].op().bytes();
    mock.finish(0, left - 1, 2);
    assert_eq!((drops.count(), drops.shown()), (1, LEN - 1));
}

/// A second part occupies a worker, and only one read at a time may have one.
#[test]
fn where_others_are_in_flight_reads_have_one_part() {
    let (ctx, mock) = cached(LEN);
    let fd = file();
    let other = ctx.fsync(&fd).submit();
    let read = ctx.read_into(Vec::with_capacity(LEN), &fd, 0);
    assert_eq!(end(read).0.unwrap(), LEN);
    assert_eq!(mock.count(), 1);
    mock.finish(0, 0, 0);
    end(other).unwrap();
}

/// A read whose second part keeps it waiting is slower than one in one part.
#[test]
fn what_does_not_pay_off_is_left_off() {
    let (ctx, mock) = cached(LEN);
    let mut split = 0;
    for _ in 0..200 {
        let mut read = ctx.read_into(Vec::with_capacity(LEN), &file(), 0);
        assert_pending(&mut read);
        if mock.count() != 0 {
            split += 1;
            park(&mut read);
            let left = mock.seen().out[0].op().bytes();
            mock.finish(0, left, 2);
        }
        assert_eq!(end(read).0.unwrap(), LEN);
    }
    assert!(split < 50, "{split} of 200 were read in two parts");
}
