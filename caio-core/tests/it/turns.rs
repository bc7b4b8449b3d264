//! A task whose operations all end in their first poll lets others run now and then.

use crate::mock::{Bell, file, open, poll};
use std::sync::Arc;

/// How many polls it takes to read so often, so many bytes at a time, all of them from the page cache.
fn polls(reads: usize, bytes: usize) -> usize {
    let (ctx, mock) = open(8);
    mock.seen().cached = u64::MAX;
    let fd = file();
    let mut task = Box::pin(async {
        for _ in 0..reads {
            assert_eq!(ctx.read_into(Vec::with_capacity(bytes), &fd, 0).await.0.unwrap(), bytes);
        }
    });
    let bell = Arc::new(Bell::default());
    let mut polls = 1;
    while poll(&mut task, &bell).is_pending() {
        assert_eq!(bell.rings(), polls, "it is polled again");
        polls += 1;
    }
    polls
}

#[test]
fn a_turn_has_so_many_small_reads() {
    // Each test has a thread of its own, and so begins with a turn of its own.
    assert_eq!(polls(1000, 4096), 1000 / 256 + 1);
}

#[test]
fn long_copies_make_short_turns() {
    assert_eq!(polls(100, 64 * 1024), 100 / 29 + 1);
}
