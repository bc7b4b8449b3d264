//! Many `O_DIRECT` transfers at a time.

use crate::support::builder;
use caio_conformance::kit::{alone, direct_file, in_child, poll_once, until, within};
use caio_conformance::test_dir;
use caio_core::{AlignedBuf, Context, SharedFd};
use caio_uring::Routes;
use futures::executor::block_on;
use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::task::noop_waker;
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context as TaskContext;
use std::time::Duration;

/// What every disk's blocks divide.
const BLOCK: usize = 4096;
/// How many blocks the file has.
const BLOCKS: usize = 256;
/// How many operations are under way at a time.
const TASKS: usize = 32;
/// How many each task does, one after the other.
const TURNS: usize = 60;

/// A file on disk whose blocks each hold their number, opened with `O_DIRECT`; `None` (and a word
/// about it) where that cannot be.
fn direct() -> Option<SharedFd> {
    let content: Vec<u8> = (0..BLOCKS).flat_map(block_of).collect();
    direct_file(&test_dir!(), &content)
}

/// What a block holds.
fn block_of(number: usize) -> [u8; BLOCK] {
    [number as u8; BLOCK]
}

/// Reads many blocks at a time, and compares each.
async fn read_many(ctx: &Context, fd: &SharedFd, turns: usize) {
    let task = |task: usize| async move {
        let mut buf = AlignedBuf::zeroed(BLOCK, BLOCK);
        for turn in 0..turns {
            let number = (task * 37 + turn * 101) % BLOCKS;
            let (read, back) = ctx.read_into(buf, fd, (number * BLOCK) as u64).await;
            assert_eq!(read.expect("a read"), BLOCK);
            assert!(back[..] == block_of(number), "block {number}");
            buf = back;
        }
    };
    let mut tasks: FuturesUnordered<_> = (0..TASKS).map(task).collect();
    while tasks.next().await.is_some() {}
}

#[test]
fn many_transfers_share_system_calls() {
    let (Some(builder), Some(fd)) = (builder(Routes::default()), direct()) else { return };
    let submissions = builder.submissions();
    let ctx = builder.build().expect("a context");
    within(Duration::from_secs(60), move || {
        let operations = TASKS * TURNS;
        // On a machine that is busy with something else groups may take a while to form.
        let mut calls = Vec::new();
        while !calls.iter().any(|calls| calls * 8 < operations * 7) {
            assert!(calls.len() < 50, "{calls:?} system calls for {operations} reads each");
            let before = submissions.load(Ordering::Relaxed);
            block_on(read_many(&ctx, &fd, TURNS));
            calls.push(submissions.load(Ordering::Relaxed) - before);
        }
        assert_eq!(ctx.stats().completed, (calls.len() * operations) as u64);
    });
}

/// A read of a group is submitted at its second poll: not by a child process, which has its
/// parent's ring.
#[test]
fn a_child_does_not_enter_its_parents_ring() {
    alone("coalesce::a_child_does_not_enter_its_parents_ring", || {
        let (Some(builder), Some(fd)) = (builder(Routes::default()), direct()) else { return };
        let submissions = builder.submissions();
        let ctx = builder.build().expect("a context");
        let read = |number: usize| ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, (number * BLOCK) as u64);
        // Groups form while many reads are under way, and go on for some milliseconds.
        for round in 0..20 {
            block_on(read_many(&ctx, &fd, TURNS));
            // Those that wait for their second poll, and one that was flushed.
            let pending = (1..6).filter_map(|number| {
                let mut polled = read(number);
                poll_once(&mut polled).is_pending().then_some((number, Some(polled)))
            });
            let mut reads: Vec<_> = pending.chain([(6, Some(read(6).submit()))]).collect();
            in_child(|| {
                let before = submissions.load(Ordering::Relaxed);
                let refused = reads.iter_mut().enumerate().all(|(at, (_, read))| match read.take() {
                    Some(read) if at % 3 == 0 => block_on(read.submit()).0.is_err(),
                    Some(read) if at % 3 == 1 => block_on(read).0.is_err(),
                    _ => true, // dropped
                });
                refused && submissions.load(Ordering::Relaxed) == before
            });
            for (number, read) in reads {
                let read = read.expect("the parent's").timeout(Duration::from_secs(10));
                let (read, buf) = block_on(read);
                assert_eq!(read.expect("a read"), BLOCK, "{round}");
                assert!(buf[..] == block_of(number), "{round}: block {number}");
            }
        }
    });
}

#[test]
fn one_transfer_after_many_does_not_wait_for_others() {
    let (Some(builder), Some(fd)) = (builder(Routes::default()), direct()) else { return };
    let ctx = builder.build().expect("a context");
    within(Duration::from_secs(60), move || {
        for _ in 0..20 {
            block_on(read_many(&ctx, &fd, 10));
            let read = ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, BLOCK as u64);
            let (read, buf) = block_on(read.timeout(Duration::from_secs(10)));
            assert_eq!(read.expect("a read"), BLOCK);
            assert!(buf[..] == block_of(1));
        }
    });
}

#[test]
fn what_waits_for_room_is_carried_out() {
    let (Some(builder), Some(fd)) = (builder(Routes::default()), direct()) else { return };
    let ctx = builder.max_requests(8).build().expect("a context");
    within(Duration::from_secs(60), move || {
        for round in 0..10 {
            let read = |number: usize| ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, (number * BLOCK) as u64);
            // Where each read ends in its first poll none has to wait: so every other time they are
            // submitted before any is polled.
            let started = |number| if round % 2 == 0 { read(number) } else { read(number).submit() };
            let reads: Vec<_> = (0..BLOCKS).map(started).collect();
            for (number, (read, buf)) in block_on(join_all(reads)).into_iter().enumerate() {
                assert_eq!(read.expect("a read"), BLOCK);
                assert!(buf[..] == block_of(number), "block {number}");
            }
        }
        assert!(ctx.stats().waited != 0);
    });
}

/// Runs something while another thread reads many blocks at a time.
fn beside_many(ctx: &Context, fd: &SharedFd, what: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                block_on(read_many(ctx, fd, TURNS));
            }
        });
        what();
        stop.store(true, Ordering::Relaxed);
    });
}

/// A write's future, which tells its state.
trait WriteFuture: Future<Output = (io::Result<usize>, AlignedBuf)> + Debug {}
impl<F: Future<Output = (io::Result<usize>, AlignedBuf)> + Debug> WriteFuture for F {}
type Write<'a> = Pin<Box<dyn WriteFuture + 'a>>;

/// Writes blocks whose futures are polled until they have started and then given up, while many
/// reads are under way; they are carried out all the same. After many operations that ended at once
/// a first poll yields, and starts nothing.
fn written_although(give_up: fn(Write<'_>)) {
    let (Some(builder), Some(fd), Some(to)) = (builder(Routes::default()), direct(), direct()) else {
        return;
    };
    let ctx = builder.build().expect("a context");
    within(Duration::from_secs(60), move || {
        beside_many(&ctx, &fd, || {
            for number in 0..40 {
                let content = [0xa0 | number as u8; BLOCK];
                let mut buf = AlignedBuf::zeroed(BLOCK, BLOCK);
                buf.copy_from_slice(&content);
                let mut write: Write<'_> = Box::pin(ctx.write(buf, &to, (number * BLOCK) as u64));
                let waker = noop_waker();
                loop {
                    let _ended_or_not = write.as_mut().poll(&mut TaskContext::from_waker(&waker));
                    if !format!("{write:?}").contains("not started") {
                        break;
                    }
                }
                give_up(write);
                let mut found = AlignedBuf::zeroed(BLOCK, BLOCK);
                until("the write", || {
                    to.file().read_exact_at(&mut found, (number * BLOCK) as u64).expect("a read");
                    found[..] == content
                });
            }
        });
    });
}

#[test]
fn a_write_that_has_started_and_is_leaked_is_carried_out() {
    written_although(|write| std::mem::forget(write));
}

#[test]
fn a_write_that_has_started_and_is_dropped_is_carried_out() {
    written_although(|write| drop(write));
}

#[test]
fn a_task_that_does_not_come_for_its_group_holds_up_nobody() {
    let (Some(builder), Some(fd)) = (builder(Routes::default()), direct()) else { return };
    let ctx = builder.build().expect("a context");
    within(Duration::from_secs(60), move || {
        // These are woken, and nobody polls them until the end.
        let read = |number: usize| Box::pin(ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, (number * BLOCK) as u64));
        let mut idle = Vec::new();
        beside_many(&ctx, &fd, || {
            let waker = noop_waker();
            for number in 0..TASKS {
                let mut operation = read(number);
                if operation.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending() {
                    idle.push((number, operation));
                }
                block_on(read_many(&ctx, &fd, 2));
            }
        });
        for (number, operation) in idle {
            let (read, buf) = block_on(operation);
            assert_eq!(read.expect("a read"), BLOCK);
            assert!(buf[..] == block_of(number));
        }
    });
}
