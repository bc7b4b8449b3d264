//! Submitting holds nobody up: neither who submits much, nor who polls meanwhile.

use crate::support::{builder, file};
use caio_conformance::kit::{block_on, cpu_time, join_all, poll_once, within};
use caio_core::{Context, MAX_BATCH, SharedFd};
use caio_uring::{Route, Routes};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest that a poll may take on a machine that does nothing else.
const MAX_POLL: Duration = Duration::from_millis(5);
/// The longest that submitting may keep its thread busy, without optimisation. Copying takes three
/// times as long.
const MAX_SUBMIT: Duration = Duration::from_millis(15);
/// How often a time is measured: others run too, and the shortest counts.
const ROUNDS: usize = 12;
/// How much each read reads.
const BYTES: usize = 64 * 1024;

/// Submits many reads at once, and awaits them. Says how long this thread was busy with submitting
/// them.
fn submit_many(ctx: &Context, fd: &SharedFd) -> Duration {
    let mut batch = ctx.batch();
    let reads: Vec<_> = (0..MAX_BATCH).map(|_| batch.read(BYTES, fd, 0)).collect();
    let before = cpu_time();
    batch.submit().expect("a batch");
    let taken = cpu_time() - before;
    block_on(join_all(reads)).into_iter().for_each(|read| assert_eq!(read.expect("a read").len(), BYTES));
    taken
}

/// Polls small reads until it is told to stop, and says how long the longest poll took.
fn longest_poll(ctx: &Context, fd: &SharedFd, stop: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let mut read = ctx.read(64, fd, 0);
        loop {
            let begun = Instant::now();
            let poll = poll_once(&mut read);
            longest = longest.max(begun.elapsed());
            if poll.is_ready() {
                break;
            }
            std::thread::yield_now();
        }
    }
    longest
}

#[test]
fn many_cached_reads_hold_nobody_up() {
    let mut routes = Routes::all(Route::Auto);
    routes.inline = false;
    let Some(builder) = builder(routes) else { return };
    let ctx = builder.max_requests(MAX_BATCH + 64).build().expect("a context");
    let (fd, other) = (file(&vec![1; BYTES]), file(&[1; 64]));
    within(Duration::from_secs(120), move || {
        let measured = (0..ROUNDS).map(|_| {
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let poller = scope.spawn(|| longest_poll(&ctx, &other, &stop));
                let submitted = submit_many(&ctx, &fd);
                stop.store(true, Ordering::Relaxed);
                (submitted, poller.join().expect("a thread"))
            })
        });
        let (submitted, polled): (Vec<_>, Vec<_>) = measured.unzip();
        println!("submitted in {submitted:?}, polled in {polled:?}");
        assert!(submitted.iter().min() < Some(&MAX_SUBMIT), "submitting took {submitted:?}");
        assert!(polled.iter().min() < Some(&MAX_POLL), "another thread's poll took {polled:?}");
    });
}
