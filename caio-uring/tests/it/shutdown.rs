//! The end of a context: everything comes back, whatever was in flight.

use crate::support::{file, footprint, ring};
use caio_conformance::kit::{alone, pipe, until};
use caio_core::NO_OFFSET;
use caio_sys::poll::{PollEvents, PollFd, poll};
use futures::executor::block_on;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Makes and drops contexts in a process of its own, so that other tests do not disturb the count.
fn come_and_go(contexts: usize) {
    let Some(builder) = ring() else { return };
    let (reader, _writer) = pipe();
    let fd = file(&[1; 64]);
    let once = |with_reads: bool| {
        let ctx = builder.clone().max_requests(8).build().expect("a context");
        block_on(ctx.read(8, &fd, 0)).expect("a read");
        if with_reads {
            drop((0..4).map(|_| ctx.read(8, &reader, NO_OFFSET).submit()).collect::<Vec<_>>());
        }
    };
    (0..50).for_each(|_| once(false));
    until("the first have ended", || footprint().1 <= 3);
    let (fds, threads, pages) = footprint();
    (0..contexts).for_each(|number| once(number % 10 == 0));
    until("descriptors and threads are back", || {
        let (fds_now, threads_now, _) = footprint();
        fds_now <= fds && threads_now <= threads
    });
    let grown = footprint().2.saturating_sub(pages);
    assert!(grown < 4096, "{grown} pages more than before");
}

#[test]
fn contexts_that_come_and_go_leave_nothing_behind() {
    alone("shutdown::contexts_that_come_and_go_leave_nothing_behind", || come_and_go(200));
}

#[test]
#[ignore = "takes a minute; run it alone"]
fn ten_thousand_contexts() {
    alone("shutdown::ten_thousand_contexts", || come_and_go(10_000));
}

#[test]
fn dropping_does_not_wait_and_lets_go_of_the_pipe() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    let (reader, writer) = pipe();
    let reads: Vec<_> = (0..20).map(|_| ctx.read(8, &reader, NO_OFFSET).submit()).collect();
    let begun = Instant::now();
    drop(reads);
    drop((ctx, reader));
    assert!(begun.elapsed() < Duration::from_secs(2), "dropping has waited");
    until("nobody reads the pipe", || {
        let mut end = [PollFd::new(writer.as_fd(), PollEvents::OUT)];
        poll(&mut end, Some(Duration::ZERO)).expect("a poll");
        end[0].ready().contains(PollEvents::ERR)
    });
}

#[test]
fn a_forgotten_future_leaks_and_no_more() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    let (reader, mut writer) = pipe();
    let fd = file(b"content");
    std::mem::forget(ctx.read_into(vec![0; 64], &reader, NO_OFFSET).submit());
    std::mem::forget(ctx.read_into(vec![0; 64], &fd, 0).submit());
    std::io::Write::write_all(&mut writer, b"late").expect("a write");
    assert_eq!(block_on(ctx.read(7, &fd, 0)).expect("a read"), b"content");
    until("both have ended", || {
        block_on(ctx.read(1, &fd, 0)).expect("a read");
        ctx.in_flight() == 0
    });
}

#[test]
fn an_idle_context_has_no_thread_that_wakes_up() {
    alone("shutdown::an_idle_context_has_no_thread_that_wakes_up", idle);
}

/// Counts how often its thread is switched to.
fn idle() {
    let Some(builder) = ring() else { return };
    let before = footprint().1;
    let ctx = builder.build().expect("a context");
    assert_eq!(footprint().1, before, "a context that has done nothing has no thread");
    let fd = file(&[1; 64]);
    (0..100).for_each(|_| drop(block_on(ctx.read(8, &fd, 0))));
    let switches = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("tasks").flatten();
        let status = tasks.map(|task| {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            (name, std::fs::read_to_string(task.path().join("status")).unwrap_or_default())
        });
        let ours = status.filter(|(name, _)| name.starts_with("caio-reaper"));
        let lines = ours.map(|(_, status)| {
            status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect::<Vec<_>>()
        });
        lines.collect::<Vec<_>>()
    };
    let stays_asleep = |time| {
        let before = switches();
        std::thread::sleep(time);
        before.len() == 1 && switches() == before
    };
    until("one thread takes completions, and falls asleep", || stays_asleep(Duration::from_millis(50)));
    assert!(stays_asleep(Duration::from_millis(300)), "it woke up without need");
}
