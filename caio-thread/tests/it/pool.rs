//! How many workers there are, and what they survive.

use crate::support::{Stall, block_on, file, pooled, pooled_with, started, workers};
use caio_conformance::kit::until;
use caio_core::Outcome;
use caio_thread::ThreadPool;
use futures::future::join_all;
use std::future::Future;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

#[test]
fn starts_no_thread_before_there_is_work() {
    let (ctx, pool) = pooled(workers(4));
    let lazy = ctx.write(b"x", &file(), 0);
    assert_eq!(pool.counters().started, 0);
    drop(lazy);
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn grows_while_work_waits_and_no_further_than_its_bound() {
    let (ctx, pool) = pooled(workers(3));
    let stalls: Vec<_> = (0..3).map(|_| Stall::new(&ctx)).collect();
    assert_eq!((started(&pool), pool.counters().workers), (3, 3));
    let waiting = ctx.write(b"later", &file(), 0).submit();
    assert_eq!((started(&pool), pool.in_flight()), (3, 1));
    drop(stalls);
    assert_eq!(block_on(waiting).0.unwrap(), 5);
}

#[test]
fn one_worker_after_the_other_ends_when_there_is_nothing_to_do() {
    let mut settings = workers(3);
    settings.linger = Duration::from_millis(20);
    let (ctx, pool) = pooled(settings);
    drop([Stall::new(&ctx), Stall::new(&ctx)]);
    until("all workers have ended", || pool.counters().workers == 0);
    assert_eq!(block_on(ctx.write(b"again", &file(), 0)).0.unwrap(), 5);
    assert_eq!(started(&pool), 3);
}

#[test]
fn one_worker_does_a_hundred_operations() {
    let (ctx, pool) = pooled(workers(1));
    let fd = file();
    let writes = (0..100u64).map(|at| ctx.write(vec![at as u8; 64], &fd, at * 64));
    assert!(block_on(join_all(writes)).iter().all(|(written, _)| matches!(written, Ok(64))));
    let reads = block_on(join_all((0..100u64).map(|at| ctx.read(64, &fd, at * 64))));
    for (at, read) in reads.into_iter().enumerate() {
        assert_eq!(read.unwrap(), [at as u8; 64]);
    }
    assert_eq!((started(&pool), pool.in_flight()), (1, 0));
}

#[test]
fn what_is_queued_can_be_cancelled_and_what_runs_goes_on() {
    let (ctx, pool) = pooled(workers(1));
    let stall = Stall::new(&ctx);
    let fd = file();
    let write = ctx.write(b"never", &fd, 0).submit();
    let read = ctx.read_into(vec![7; 8], &fd, 0).submit();
    let sync = ctx.fsync(&fd).submit();
    assert_eq!(pool.in_flight(), 3);
    assert!(matches!(block_on(write.cancel()), Outcome::Cancelled(b"never")));
    assert!(matches!(block_on(read.cancel()), Outcome::Cancelled(buf) if buf == [7; 8]));
    assert!(matches!(block_on(sync.cancel()), Outcome::Cancelled(())));
    assert_eq!(pool.in_flight(), 0);
    drop(stall);
    assert_eq!(fd.file().metadata().unwrap().len(), 0);
    assert_eq!(pool.counters().syncs, 0);
}

/// Giving up what is queued costs each operation as much as the next, however many there are.
#[test]
fn cancels_are_linear() {
    let time = |operations: u64| {
        let (ctx, _pool) = pooled_with(workers(1), 30_000);
        let stall = Stall::new(&ctx);
        let fds = [file(), file(), file()];
        let write = |at| ctx.write(b"x", &fds[at as usize % 3], at).submit();
        let read = |at| ctx.read_into(vec![0; 1], &fds[at as usize % 3], at).submit();
        let writes: Vec<_> = (0..operations / 2).map(write).collect();
        let reads: Vec<_> = (0..operations / 4).map(read).collect();
        let syncs: Vec<_> = (0..operations / 4).map(|_| ctx.fsync(&fds[0]).submit()).collect();
        let started = Instant::now();
        let cancels = writes.into_iter().rev().map(caio_core::Operation::cancel);
        assert!(block_on(join_all(cancels)).iter().all(|outcome| matches!(outcome, Outcome::Cancelled(_))));
        drop((reads, syncs, ctx));
        let time = started.elapsed();
        drop(stall);
        time
    };
    let (few, many) = (time(2800), time(28_000));
    assert!(many < few * 40 + Duration::from_millis(100), "2800 took {few:?}, 28000 took {many:?}");
}

#[test]
fn shutdown_cancels_what_is_queued_and_refuses_what_comes() {
    let (ctx, pool) = pooled(workers(1));
    let stall = Stall::new(&ctx);
    let write = ctx.write(b"never", &file(), 0).submit();
    pool.shutdown();
    pool.shutdown();
    let (written, buf) = block_on(write);
    assert!(written.is_err());
    assert_eq!(buf, b"never");
    let (written, buf) = block_on(ctx.write(b"late", &file(), 0));
    assert!(written.unwrap_err().to_string().contains("shut down"));
    assert_eq!(buf, b"late");
    drop(stall);
    until("its worker has ended", || pool.counters().workers == 0);
}

#[test]
fn a_waker_that_panics_costs_neither_a_worker_nor_an_operation() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            assert_ne!(std::thread::current().name(), Some("caio-worker"), "a bomb");
        }
    }
    let (ctx, pool) = pooled(workers(1));
    let fd = file();
    let bomb = Waker::from(Arc::new(Bomb));
    for _ in 0..3 {
        let stall = Stall::new(&ctx);
        let mut write = Box::pin(ctx.write(b"bomb", &fd, 0));
        assert!(write.as_mut().poll(&mut std::task::Context::from_waker(&bomb)).is_pending());
        drop(stall);
        assert_eq!(block_on(ctx.fsync(&fd)).ok(), Some(()));
        assert_eq!(block_on(write).0.unwrap(), 4);
    }
    assert_eq!(started(&pool), 1);
}

#[test]
fn bounds_are_checked() {
    for portable in [false, true] {
        let error = ThreadPool::builder().portable(portable).pool_size(0).build().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let error = ThreadPool::builder().portable(portable).max_requests(0).build().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}
