//! `O_DIRECT` transfers, which a backend may deliver in groups.

use crate::mock::{Bell, Mock, assert_pending, assert_ready, open, poll};
use caio_conformance::{kit::direct_file, test_dir};
use caio_core::{AlignedBuf, Context, SharedFd};
use std::sync::Arc;

/// A context with a mock, and a file opened with `O_DIRECT`; `None` (and a word about it) where that cannot be.
fn direct() -> Option<(Context, Arc<Mock>, SharedFd)> {
    let fd = direct_file(&test_dir!(), &[])?;
    let (ctx, mock) = open(8);
    Some((ctx, mock, fd))
}

/// How many requests are out, and how often they were flushed one way and the other.
fn flushed(mock: &Mock) -> (usize, usize, usize) {
    let seen = mock.seen();
    (seen.out.len(), seen.flushes, seen.group_flushes)
}

#[test]
fn a_member_of_a_group_is_flushed_at_its_second_poll_and_then_parks() {
    let Some((ctx, mock, fd)) = direct() else { return };
    mock.seen().groups = true;
    let bell = Arc::new(Bell::default());
    let mut read = ctx.read_into(AlignedBuf::new(4096, 4096), &fd, 0);
    assert!(poll(&mut read, &bell).is_pending());
    assert_eq!((flushed(&mock), bell.rings()), ((1, 0, 0), 1));
    assert!(poll(&mut read, &bell).is_pending());
    assert_eq!((flushed(&mock), bell.rings()), ((1, 0, 1), 1));
    assert_eq!(mock.seen().arms, 1);
    mock.finish(0, 4096, 7);
    assert_eq!(bell.rings(), 2);
    // Whoever has its result takes the rest of the group.
    let before = mock.seen().reaps;
    let (result, buf) = assert_ready(read);
    assert_eq!((result.unwrap(), mock.seen().reaps), (4096, before + 1));
    assert!(buf.iter().all(|byte| *byte == 7));
}

#[test]
fn a_member_of_a_group_that_is_given_up_or_submitted_is_flushed() {
    let Some((ctx, mock, fd)) = direct() else { return };
    mock.seen().groups = true;
    let mut write = ctx.write(AlignedBuf::zeroed(4096, 4096), &fd, 0);
    assert_pending(&mut write);
    drop(write);
    assert_eq!(flushed(&mock), (1, 1, 0));
    let mut write = ctx.write(AlignedBuf::zeroed(4096, 4096), &fd, 4096);
    assert_pending(&mut write);
    let write = write.submit();
    assert_eq!(flushed(&mock), (2, 2, 0));
    // What is submitted without a poll does not wait for one.
    let other = ctx.write(AlignedBuf::zeroed(4096, 4096), &fd, 8192).submit();
    assert_eq!(flushed(&mock), (3, 3, 0));
    (0..3).for_each(|_| mock.finish(0, 4096, 0));
    assert_eq!((assert_ready(write).0.unwrap(), assert_ready(other).0.unwrap()), (4096, 4096));
}

#[test]
fn groups_are_asked_for_where_several_are_under_way() {
    let Some((ctx, mock, fd)) = direct() else { return };
    let read = |number: u64| ctx.read_into(AlignedBuf::new(4096, 4096), &fd, number * 4096).submit();
    for number in 0..20 {
        let alone = read(number);
        mock.finish(0, 4096, 0);
        assert_eq!(assert_ready(alone).0.unwrap(), 4096);
    }
    assert_eq!(mock.seen().deepest, 0);
    let together: Vec<_> = (0..8).map(read).collect();
    (0..8).for_each(|_| mock.finish(0, 4096, 0));
    for read in together {
        assert_eq!(assert_ready(read).0.unwrap(), 4096);
    }
    let next = read(20);
    assert!(mock.seen().deepest > 4, "{}", mock.seen().deepest);
    mock.finish(0, 4096, 0);
    assert_eq!(assert_ready(next).0.unwrap(), 4096);
}
