//! Contexts that go while operations are in flight.

use crate::support::{block_of, context, direct_file, kernel_contexts, own, room, skip};
use caio_aio::{Aio, Routes};
use caio_conformance::kit::{
    BLOCK, PATIENCE, Resource, alone, cpu_ticks, cpu_time, disk_file, limit, pipe,
    seccomp::{Refused, refuse_or_skip},
    until,
};
use caio_conformance::test_dir;
use caio_core::{MAX_BATCH, SharedFd};
use futures::executor::block_on;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Polls a future once, and drops it.
fn begin(future: impl Future) {
    let _ = pin!(future).poll(&mut TaskContext::from_waker(Waker::noop()));
}

/// Waits until this process has no context, no thread but its own, and its descriptors of before.
fn all_is_given_back(threads: usize, descriptors: usize) {
    until("the contexts are destroyed", || kernel_contexts() == 0);
    until("the threads end", || own("task") <= threads);
    until("the descriptors are closed", || own("fd") <= descriptors);
}

#[test]
fn contexts_that_go_in_flight_give_everything_back() {
    alone("lifetime::contexts_that_go_in_flight_give_everything_back", || {
        let Some(fd) = direct_file(8) else { return };
        let Some(first) = context(Routes::Auto, 8) else { return };
        drop(first);
        until("the context is destroyed", || kernel_contexts() == 0);
        let (empty, _writer) = pipe();
        let buffered: SharedFd = disk_file(&test_dir!()).into();
        until("the threads end", || own("task") <= 2);
        let (threads, descriptors) = (own("task"), own("fd"));
        for round in 0..200 {
            let ctx = Aio::builder().max_requests(16).build().unwrap();
            begin(ctx.read(64, &empty, u64::MAX));
            if round % 4 != 0 {
                for at in 0..8 {
                    begin(ctx.read_into(room(), &fd, (at * BLOCK) as u64));
                }
                begin(ctx.write(block_of(1), &fd, 0));
                begin(ctx.write(vec![1; 1 << 17], &buffered, 0));
                begin(ctx.fdsync(&fd));
            }
        }
        all_is_given_back(threads, descriptors);
    });
}

#[test]
fn driven_contexts_give_everything_back() {
    alone("lifetime::driven_contexts_give_everything_back", || {
        let Some(fd) = direct_file(8) else { return };
        let Some(first) = context(Routes::Auto, 8) else { return };
        drop(first);
        until("the context is destroyed", || kernel_contexts() == 0);
        let (empty, _writer) = pipe();
        until("the threads end", || own("task") <= 2);
        let (threads, descriptors) = (own("task"), own("fd"));
        for round in 0..50 {
            let (ctx, mut driver) = Aio::builder().max_requests(16).build_with_driver().unwrap();
            begin(ctx.read(64, &empty, u64::MAX));
            for at in 0..8 {
                begin(ctx.read_into(room(), &fd, (at * BLOCK) as u64));
            }
            if round % 2 == 0 {
                drop(ctx);
                // Abandoned operations are delivered to nobody; waiting for them ends.
                while driver.reap(4, 1, Some(PATIENCE)).unwrap() != 0 {}
            }
        }
        all_is_given_back(threads, descriptors);
    });
}

#[test]
fn a_drop_does_not_wait() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 16), direct_file(8)) else { return };
    let (empty, _writer) = pipe();
    begin(ctx.read(64, &empty, u64::MAX));
    for at in 0..8 {
        begin(ctx.read_into(room(), &fd, (at * BLOCK) as u64));
    }
    // Destroying a context takes some 30 ms of the kernel even where nothing runs. The quickest of
    // a few counts: others run as well.
    let drops = (0..20).map(|_| {
        let ctx = context(Routes::Auto, 8).unwrap();
        let begun = Instant::now();
        drop(ctx);
        begun.elapsed()
    });
    let quickest = drops.min().unwrap();
    assert!(quickest < Duration::from_millis(5), "{quickest:?}");
}

#[test]
fn closing_drains_and_may_be_repeated() {
    let (Some(ctx), Some(fd)) = (context(Routes::Auto, 16), direct_file(8)) else { return };
    let reads: Vec<_> = (0..16).map(|at| ctx.read_into(room(), &fd, (at % 8 * BLOCK) as u64).submit()).collect();
    block_on(ctx.close());
    assert_eq!(ctx.in_flight(), 0);
    block_on(ctx.close());
    for (at, read) in reads.into_iter().enumerate() {
        let (read, block) = block_on(read);
        assert_eq!((read.unwrap(), block[0]), (BLOCK, (at % 8) as u8));
    }
    let (refused, _) = block_on(ctx.read_into(room(), &fd, 0));
    refused.unwrap_err();
}

#[test]
fn without_any_thread_a_context_still_goes() {
    alone("lifetime::without_any_thread_a_context_still_goes", || {
        let Some(fd) = direct_file(8) else { return };
        let body = move || {
            let filters =
                [Refused::always(libc::SYS_clone, libc::EAGAIN), Refused::always(libc::SYS_clone3, libc::EAGAIN)];
            let Some(ctx) = context(Routes::Auto, 8) else { return };
            if !refuse_or_skip(&filters) {
                return;
            }
            assert!(thread::Builder::new().spawn(|| ()).is_err());
            // Nobody could take its completion back from the kernel: it fails, or is done
            // otherwise, but does not hang.
            let (read, _) = block_on(ctx.read_into(room(), &fd, 0));
            println!("without threads: {read:?}");
            drop(ctx);
            assert_eq!(kernel_contexts(), 0);
        };
        thread::spawn(body).join().unwrap();
    });
}

#[test]
fn where_nothing_takes_requests_each_one_fails() {
    alone("lifetime::where_nothing_takes_requests_each_one_fails", || {
        let (Some(ctx), Some(fd)) = (context(Routes::Auto, 2), direct_file(8)) else { return };
        // The reaper is there, and after that no other thread can be.
        block_on(ctx.read_into(room(), &fd, 0)).0.unwrap();
        let no_room =
            [libc::SYS_io_submit, libc::SYS_clone, libc::SYS_clone3].map(|call| Refused::always(call, libc::EAGAIN));
        if !refuse_or_skip(&no_room) {
            return;
        }
        // All but two wait for room, which each failure makes.
        let mut batch = ctx.batch();
        let reads: Vec<_> = (0..MAX_BATCH).map(|_| batch.read(BLOCK, &fd, 0)).collect();
        batch.submit().unwrap();
        let failed = reads.into_iter().map(block_on).filter(Result::is_err).count();
        println!("{failed} of {MAX_BATCH} failed");
        assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
    });
}

#[test]
fn an_idle_context_wakes_nobody() {
    alone("lifetime::an_idle_context_wakes_nobody", || {
        let (Some(ctx), Some(fd)) = (context(Routes::Auto, 16), direct_file(8)) else { return };
        for at in 0..8 {
            block_on(ctx.read_into(room(), &fd, (at * BLOCK) as u64)).0.unwrap();
        }
        let stays_asleep = |time| {
            let before = reaper_switches();
            thread::sleep(time);
            !before.is_empty() && reaper_switches() == before
        };
        until("the reaper falls asleep", || stays_asleep(Duration::from_millis(50)));
        assert!(stays_asleep(Duration::from_millis(200)));
    });
}

/// How often the reaper was switched to, as the kernel tells it.
fn reaper_switches() -> String {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let status = tasks.filter_map(|task| std::fs::read_to_string(task.join("status")).ok());
    let reaper = status.filter(|status| status.contains("caio-reaper")).collect::<String>();
    reaper.lines().filter(|line| line.contains("ctxt_switches")).collect()
}

#[test]
fn contexts_may_come_and_go_as_fast_as_they_can() {
    alone("lifetime::contexts_may_come_and_go_as_fast_as_they_can", || {
        if context(Routes::Auto, 1).is_none() {
            return;
        }
        // In the background each takes some 30 ms to go; those that wait must not use up the
        // system's requests.
        for _ in 0..1000 {
            Aio::builder().build().unwrap();
        }
        until("the contexts are destroyed", || kernel_contexts() == 0);
    });
}

/// With no descriptor allowed `poll(2)` is refused: the thread that takes completions pauses.
#[test]
fn a_thread_that_cannot_wait_does_not_spin() {
    alone("lifetime::a_thread_that_cannot_wait_does_not_spin", || {
        let (Some(ctx), Some(fd)) = (context(Routes::Auto, 16), direct_file(8)) else { return };
        block_on(ctx.read_into(room(), &fd, 0)).0.unwrap();
        let before = cpu_ticks("caio-reaper");
        let descriptors = limit(Resource::Descriptors, 0);
        for _ in 0..100 {
            block_on(ctx.read_into(room(), &fd, 0)).0.unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        limit(Resource::Descriptors, descriptors);
        let used = cpu_ticks("caio-reaper") - before;
        assert!(used < 10, "{used} ticks of 50");
    });
}

/// However much is in flight, ending it is not the work of whoever drops the context.
#[test]
fn dropping_a_context_with_much_in_flight_is_quick() {
    let Ok(ctx) = Aio::builder().max_requests(30_000).pool_size(1).build().map_err(skip) else { return };
    if ctx.max_requests() < 30_000 {
        return skip(format_args!("the system grants {} requests", ctx.max_requests()));
    }
    let fd: SharedFd = disk_file(&test_dir!()).into();
    for round in 0..7 {
        let mut batch = ctx.batch();
        let writes: Vec<_> = (0..4000).map(|number| batch.write(vec![1; 4096], &fd, round + number)).collect();
        batch.submit().unwrap();
        drop(writes);
    }
    println!("{} in flight", ctx.in_flight());
    let before = cpu_time();
    drop(ctx);
    let used = cpu_time() - before;
    assert!(used < Duration::from_millis(20), "{used:?}");
}
