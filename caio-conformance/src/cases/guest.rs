//! The library as a guest in somebody's process: its threads, its signals, its memory, its processor.

use super::cases;
use crate::context::Context;
use crate::fixture::{Fixture, skip};
use crate::kit::{Resource, block_on, limit, park, pattern, pipe, until};
use caio_core::{IoPriority, NO_OFFSET, SharedFd};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

cases!("guest":; process:
    threads_block_signals, no_thread_of_ours_takes_a_signal, threads_are_few, threads_end_with_their_contexts,
    memory_follows_the_transfer, idle_costs_no_processor, idle_with_an_error_queue, idle_without_descriptors,
    descriptors_are_given_back; nobody: priority_without_the_right,
);

/// Does some of everything, so that all threads are there.
fn use_all(fixture: &Fixture, ctx: &Context) {
    let fd = fixture.file("used", &pattern(300_000));
    let (reader, mut writer) = pipe();
    let late = ctx.read(8, &reader, NO_OFFSET).timeout(Duration::from_millis(2));
    block_on(late).expect_err("its time is up");
    let mut read = ctx.read(8, &reader, NO_OFFSET);
    park(&mut read);
    std::io::Write::write_all(&mut writer, b"x").expect("room");
    assert_eq!(block_on(read).expect("a read"), b"x");
    assert_eq!(block_on(ctx.write(vec![1; 100_000], &fd, 0)).0.expect("a write"), 100_000);
    block_on(ctx.fsync(&fd)).expect("a sync");
    assert_eq!(block_on(ctx.read(200_000, &fd, 0).submit()).expect("a read").len(), 200_000);
    if let Ok(direct) = crate::kit::open_direct(&fixture.path("used")) {
        let room = caio_core::AlignedBuf::new(4096, 4096);
        assert_eq!(block_on(ctx.read_into(room, &direct, 0)).0.expect("a read"), 4096);
    }
}

/// The numbers of this process's threads.
fn threads() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the threads");
    tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// What a thread's status says.
fn status(thread: i32, key: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":"))?;
    Some(line.trim().to_owned())
}

/// Every thread of the library blocks every signal but those that a fault of its own raises.
fn threads_block_signals(fixture: &Fixture) {
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    // The kernel lets nobody block the first two, the C library keeps three for itself, and `abort` opens its own.
    let free = [libc::SIGKILL, libc::SIGSTOP, 32, 33, 34, libc::SIGABRT];
    let before = threads();
    let ctx = fixture.context();
    use_all(fixture, &ctx);
    let (reader, _writer) = pipe();
    let mut waits = ctx.read(8, &reader, NO_OFFSET);
    park(&mut waits);
    // One without a name of its own is still in the C library's hands, which blocks everything.
    let parents = status(std::process::id() as i32, "Name");
    until("all threads have names", || {
        threads().into_iter().all(|thread| before.contains(&thread) || status(thread, "Name") != parents)
    });
    let mut seen = 0;
    for thread in threads().into_iter().filter(|thread| !before.contains(thread)) {
        let (Some(name), Some(mask)) = (status(thread, "Name"), status(thread, "SigBlk")) else { continue };
        // A thread of the kernel's, for a ring, or one of the suite's.
        if name.starts_with("iou-") || name == "event-loop" {
            continue;
        }
        seen += 1;
        let mask = u64::from_str_radix(&mask, 16).expect("a mask");
        for signal in 1..=64 {
            let is_blocked = mask & (1 << (signal - 1)) != 0;
            if faults.contains(&signal) {
                assert!(!is_blocked, "{name} blocks signal {signal}, which only a fault of its own raises");
            } else if !free.contains(&signal) {
                assert!(is_blocked, "{name} has signal {signal} open");
            }
        }
    }
    assert!(seen > 0, "the library has no thread");
}

/// Who may take the signal.
static ALLOWED: AtomicI32 = AtomicI32::new(0);
/// How many were taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);
/// How many of them by others.
static STRAYED: AtomicUsize = AtomicUsize::new(0);

/// Counts.
extern "C" fn take(_signal: libc::c_int) {
    // SAFETY: asks for a number, which is allowed in a handler.
    let thread = unsafe { libc::gettid() };
    TAKEN.fetch_add(1, Ordering::SeqCst);
    if thread != ALLOWED.load(Ordering::SeqCst) {
        STRAYED.fetch_add(1, Ordering::SeqCst);
    }
}

/// Blocks a signal in this thread, or opens it.
fn mask(how: libc::c_int, signal: libc::c_int) {
    // SAFETY: all zero is a valid set of signals.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the calls read and write a local.
    let masked = unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut())
    };
    assert_eq!(masked, 0);
}

/// While contexts come and go in a thread that has a signal open, and the main thread blocks it, no other thread takes it.
fn no_thread_of_ours_takes_a_signal(fixture: &Fixture) {
    fixture.needs_no_event_loop();
    // SAFETY: all zero is a valid sigaction: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_flags = libc::SA_RESTART;
    action.sa_sigaction = take as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler only counts.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    mask(libc::SIG_BLOCK, libc::SIGUSR1);
    thread::scope(|scope| {
        let user = scope.spawn(|| {
            // SAFETY: asks for a number.
            ALLOWED.store(unsafe { libc::gettid() }, Ordering::SeqCst);
            mask(libc::SIG_UNBLOCK, libc::SIGUSR1);
            for _ in 0..30 {
                use_all(fixture, &fixture.bounded(8));
            }
        });
        until("the user runs", || ALLOWED.load(Ordering::SeqCst) != 0);
        while !user.is_finished() {
            // SAFETY: a signal to this process, which handles it.
            unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
            thread::sleep(Duration::from_micros(100));
        }
    });
    assert!(TAKEN.load(Ordering::SeqCst) > 0, "no signal arrived");
    assert_eq!(
        STRAYED.load(Ordering::SeqCst),
        0,
        "of {} signals so many were taken by our threads",
        TAKEN.load(Ordering::SeqCst)
    );
}

/// However many operations come and are given up, there are few threads, and in the end none.
fn threads_are_few(fixture: &Fixture) {
    const FEW: usize = 24;
    let before = threads().len();
    let mut settings = caio_core::Settings::default();
    settings.max_requests = 4;
    settings.pool_size = Some(4);
    let ctx = fixture.open(&settings).expect("the backend opens");
    let mut most = 0;
    let mut writers = Vec::new();
    for _ in 0..200 {
        let (reader, writer) = pipe();
        writers.push(writer);
        let late = ctx.read(8, &reader, NO_OFFSET).timeout(Duration::from_millis(1));
        block_on(late).expect_err("its time is up");
        most = most.max(threads().len() - before);
    }
    assert!(most <= FEW, "{most} threads");
}

/// When contexts have gone, so have their threads, those that were given up included.
fn threads_end_with_their_contexts(fixture: &Fixture) {
    fixture.needs_no_event_loop();
    let before = threads().len();
    let mut writers = Vec::new();
    for _ in 0..10 {
        let ctx = fixture.context();
        use_all(fixture, &ctx);
        let (reader, writer) = pipe();
        writers.push(writer);
        let mut waits = ctx.read(8, &reader, NO_OFFSET);
        park(&mut waits);
        drop((waits, ctx));
    }
    until("its threads have ended", || threads().len() <= before + 2);
}

/// A large buffer for a small file costs what is read.
fn memory_follows_the_transfer(fixture: &Fixture) {
    if cfg!(target_pointer_width = "32") {
        skip("there is not as much memory");
    }
    let ctx = fixture.context();
    let fd = fixture.file("small", b"small");
    use_all(fixture, &ctx);
    let (reader, mut writer) = pipe();
    let peak = || status(rustix::process::getpid().as_raw_nonzero().get(), "VmHWM");
    let peak = || -> u64 { peak().expect("a peak").trim_end_matches(" kB").trim().parse().expect("a number") };
    let (before, begun) = (peak(), Instant::now());
    for offset in [0, NO_OFFSET] {
        assert_eq!(block_on(ctx.read(1 << 30, &fd, offset)).expect("a read"), b"small");
    }
    let parts = vec![Vec::with_capacity(1 << 29), Vec::with_capacity(1 << 29)];
    assert_eq!(block_on(ctx.readv(parts, &fd, 0)).0.expect("a read"), 5);
    let mut waits = ctx.read(1 << 30, &reader, NO_OFFSET);
    park(&mut waits);
    std::io::Write::write_all(&mut writer, b"little").expect("room");
    assert_eq!(block_on(waits).expect("a read"), b"little");
    let (grown, time) = (peak() - before, begun.elapsed());
    assert!(grown < 64 << 10, "{grown} KiB more than before");
    assert!(time < Duration::from_secs(1), "it took {time:?}");
}

/// How much of a processor this process uses while it sleeps.
fn assert_idle(what: &str) {
    let used = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call writes to a local.
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let before = used();
    thread::sleep(Duration::from_millis(300));
    let used = used() - before;
    assert!(used < Duration::from_millis(60), "{what}: {used:?} of 300 ms on a processor");
}

/// Contexts on which nothing runs, or something waits, cost nothing.
fn idle_costs_no_processor(fixture: &Fixture) {
    let ctx = fixture.context();
    use_all(fixture, &ctx);
    thread::sleep(Duration::from_millis(50));
    assert_idle("nothing runs");
    let (reader, _writer) = pipe();
    let (full, _other) = crate::kit::pipe_to();
    let mut reads: Vec<_> = (0..20).map(|_| ctx.read(8, &reader, NO_OFFSET)).collect();
    reads.iter_mut().for_each(|read| drop(park(read)));
    let writes: Vec<_> = (0..40).map(|_| ctx.write(vec![1; 4096], &full, NO_OFFSET).submit()).collect();
    thread::sleep(Duration::from_millis(50));
    assert_idle("reads and writes wait");
    drop((reads, writes));
}

/// A read that waits while the socket has something in its error queue.
fn idle_with_an_error_queue(fixture: &Fixture) {
    let ctx = fixture.context();
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| skip(error.to_string()));
    let (ours, gone) = (bind(), bind());
    let on: libc::c_int = 1;
    // SAFETY: the call reads a local of this size.
    let set = unsafe {
        let value = (&raw const on).cast();
        libc::setsockopt(ours.as_raw_fd(), libc::IPPROTO_IP, libc::IP_RECVERR, value, size_of_val(&on) as u32)
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    ours.connect(gone.local_addr().expect("its address")).expect("a peer");
    drop(gone);
    ours.send(b"nobody").expect("it leaves");
    let fd: SharedFd = OwnedFd::from(ours).into();
    block_on(ctx.read(8, &fd, NO_OFFSET)).expect_err("nobody is there");
    let mut waits = ctx.read(8, &fd, NO_OFFSET);
    park(&mut waits);
    assert_idle("the error queue is not empty");
}

/// Reads that wait when the process may have no more descriptors.
fn idle_without_descriptors(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, mut writer) = pipe();
    let (other, _other_writer) = pipe();
    let mut early = ctx.read(8, &reader, NO_OFFSET);
    park(&mut early);
    let before = limit(Resource::Descriptors, 3);
    let mut late = ctx.read(8, &other, NO_OFFSET);
    let waker = std::task::Waker::noop();
    for _ in 0..100 {
        let polled = std::pin::Pin::new(&mut late).poll(&mut std::task::Context::from_waker(waker));
        // Without a descriptor it may be refused.
        if polled.is_ready() {
            late = ctx.read(8, &other, NO_OFFSET);
            break;
        }
    }
    assert_idle("there are no descriptors left");
    std::io::Write::write_all(&mut writer, b"early").expect("room");
    assert_eq!(block_on(early).expect("a read"), b"early");
    limit(Resource::Descriptors, before);
    drop(late);
    use_all(fixture, &ctx);
}

/// Contexts that have gone keep no descriptor open.
fn descriptors_are_given_back(fixture: &Fixture) {
    fixture.needs_no_event_loop();
    let count = || std::fs::read_dir("/proc/self/fd").expect("the descriptors").count();
    let once = |writers: &mut Vec<std::fs::File>| {
        let ctx = fixture.bounded(8);
        use_all(fixture, &ctx);
        let (reader, writer) = pipe();
        writers.push(writer);
        let mut waits = ctx.read(8, &reader, NO_OFFSET);
        park(&mut waits);
        drop((ctx, waits));
    };
    let mut writers = Vec::new();
    once(&mut writers);
    until("the first is gone", || count() <= 16);
    writers.clear();
    let before = count();
    (0..20).for_each(|_| once(&mut writers));
    writers.clear();
    until("all descriptors are closed", || count() <= before);
}

/// A priority that is not ours to use is a hint that is not taken: the operation is carried out.
fn priority_without_the_right(fixture: &Fixture) {
    let ctx = fixture.context();
    let fd = fixture.file("urgent", b"data");
    for priority in [IoPriority::RealTime(0), IoPriority::RealTime(7), IoPriority::BestEffort(0), IoPriority::Idle] {
        assert_eq!(block_on(ctx.write(b"data", &fd, 0).priority(priority)).0.expect("a write"), 4);
        assert_eq!(block_on(ctx.read(8, &fd, 0).priority(priority).submit()).expect("a read"), b"data");
        block_on(ctx.fsync(&fd).priority(priority)).expect("a sync");
        let (reader, mut writer) = pipe();
        let mut read = ctx.read(8, &reader, NO_OFFSET).priority(priority);
        park(&mut read);
        std::io::Write::write_all(&mut writer, b"x").expect("room");
        assert_eq!(block_on(read).expect("a read"), b"x");
    }
    if let Ok(direct) = crate::kit::open_direct(&fixture.path("urgent")) {
        let room = caio_core::AlignedBuf::new(4096, 4096);
        let read = ctx.read_into(room, &direct, 0).priority(IoPriority::RealTime(0));
        assert_eq!(block_on(read).0.expect("a read"), 4);
    }
}
