//! The end of a context: everything comes back, whatever was in flight.

use crate::support::{BLOCK, builder, file, footprint, queued_file, ring};
use caio_conformance::kit::{Resource, alone, cpu_ticks, cpu_time, limit, open_direct, pipe, until};
use caio_core::{AlignedBuf, NO_OFFSET};
use caio_sys::poll::{PollEvents, PollFd, poll};
use caio_uring::Routes;
use futures::executor::block_on;
use std::os::fd::AsFd;
use std::process::Command;
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

/// With no descriptor allowed `poll(2)` is refused: the thread that takes completions pauses.
#[test]
fn a_thread_that_cannot_wait_does_not_spin() {
    alone("shutdown::a_thread_that_cannot_wait_does_not_spin", || {
        let Some(builder) = ring() else { return };
        let ctx = builder.build().expect("a context");
        let fd = file(b"content");
        assert_eq!(block_on(ctx.read(7, &fd, 0)).expect("a read"), b"content");
        let before = cpu_ticks("caio-reaper");
        let descriptors = limit(Resource::Descriptors, 0);
        for _ in 0..100 {
            assert_eq!(block_on(ctx.read(7, &fd, 0)).expect("a read"), b"content");
            std::thread::sleep(Duration::from_millis(5));
        }
        limit(Resource::Descriptors, descriptors);
        let used = cpu_ticks("caio-reaper") - before;
        assert!(used < 10, "{used} ticks of 50");
    });
}

/// A block device that takes hours for a block. Its backing file and its limit go with it.
struct Stalled {
    /// Its path.
    path: String,
    /// Its number.
    number: String,
}

impl Stalled {
    /// `None` (and a word about it) where there can be none.
    fn new() -> Option<Self> {
        let image = tempfile::NamedTempFile::new().expect("a file");
        image.as_file().set_len(1 << 20).expect("its length");
        let set_up = Command::new("losetup").args(["--find", "--show"]).arg(image.path()).output();
        let Some(set_up) = set_up.ok().filter(|output| output.status.success()) else {
            println!("SKIP: no loop device here");
            return None;
        };
        let path = String::from_utf8_lossy(&set_up.stdout).trim().to_owned();
        let name = path.trim_start_matches("/dev/");
        let number = std::fs::read_to_string(format!("/sys/block/{name}/dev")).unwrap_or_default().trim().to_owned();
        let stalled = Self { path, number };
        match stalled.throttle(1) {
            Ok(()) => Some(stalled),
            Err(error) => {
                println!("SKIP: no device can be slowed down here: {error}");
                None
            }
        }
    }

    /// So many bytes a second are read from it; 0 is no limit.
    fn throttle(&self, bytes: u64) -> std::io::Result<()> {
        std::fs::write("/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device", format!("{} {bytes}", self.number))
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        drop(self.throttle(0));
        drop(Command::new("losetup").args(["--detach", &self.path]).output());
    }
}

/// What the kernel does not end in time is leaked, and told.
#[test]
fn a_shutdown_that_gives_up_says_so() {
    let (Some(builder), Some(device)) = (ring(), Stalled::new()) else { return };
    let limit = Duration::from_millis(200);
    let (ctx, driver) = builder.drain_limit(limit).build_with_driver().expect("a context");
    let Ok(fd) = open_direct(device.path.as_ref()) else { return println!("SKIP: no O_DIRECT here") };
    let read = ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, 0).submit();
    let begun = Instant::now();
    drop(driver);
    assert!(begun.elapsed() < limit, "dropping has waited");
    until("it gives up", || ctx.stats().leaked == 1);
    assert!(begun.elapsed() >= limit, "it has waited for the kernel");
    std::mem::forget(read); // it never ends
}

/// However much is in flight, ending it is not the work of whoever drops the context.
#[test]
fn dropping_a_context_with_much_in_flight_is_quick() {
    let Some(builder) = builder(Routes::default()) else { return };
    let ctx = builder.max_requests(30_000).pool_size(1).build().expect("a context");
    let fd = file(b"");
    for round in 0..7 {
        let mut batch = ctx.batch();
        let writes: Vec<_> = (0..4000).map(|number| batch.write(vec![1; 4096], &fd, round + number)).collect();
        batch.submit().expect("a batch");
        drop(writes);
    }
    if let Some(direct) = queued_file(BLOCK) {
        let mut batch = ctx.batch();
        let reads: Vec<_> = (0..1000).map(|_| batch.read_into(AlignedBuf::new(BLOCK, BLOCK), &direct, 0)).collect();
        batch.submit().expect("a batch");
        drop(reads);
    }
    println!("{} in flight", ctx.in_flight());
    let before = cpu_time();
    drop(ctx);
    let used = cpu_time() - before;
    assert!(used < Duration::from_millis(20), "{used:?}");
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
