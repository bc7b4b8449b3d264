//! Contexts come and go, and leave nothing behind.

use crate::backends::{Backend, backends};
use caio::{Context, SharedFd};
use caio_conformance::kit::alone;
use futures::FutureExt;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How many contexts a quick run makes; every tenth has operations in flight when it is dropped.
const QUICK: usize = 300;
/// How many contexts the full run makes.
const FULL: usize = 10_000;
/// How much memory may come and go by itself, in KiB.
const SLACK_KIB: u64 = 8 * 1024;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    /// Open descriptors.
    descriptors: usize,
    /// Threads.
    threads: usize,
    /// Resident memory, in KiB.
    resident_kib: u64,
    /// The host's kernel AIO requests.
    aio_nr: u64,
}

impl Holdings {
    /// What this process holds now.
    fn now() -> io::Result<Self> {
        let entries = |path: &str| fs::read_dir(path).map(Iterator::count);
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse().ok());
        let aio_nr = fs::read_to_string("/proc/sys/fs/aio-nr").ok().and_then(|text| text.trim().parse().ok());
        Ok(Self {
            descriptors: entries("/proc/self/fd")?,
            threads: entries("/proc/self/task")?,
            resident_kib: resident.unwrap_or(0),
            aio_nr: aio_nr.unwrap_or(0),
        })
    }

    /// Whether it is no more than before.
    fn is_back_to(self, before: Self) -> bool {
        self.descriptors <= before.descriptors
            && self.threads <= before.threads
            && (is_sanitized() || self.resident_kib <= before.resident_kib + SLACK_KIB)
            && self.aio_nr <= before.aio_nr
    }
}

/// Whether a sanitizer runs with this process: it keeps freed memory for a while.
fn is_sanitized() -> bool {
    std::env::var_os("ASAN_OPTIONS").is_some()
}

/// Makes and uses a context; leaves operations in flight when it is dropped, if asked to.
fn make_and_drop(backend: Backend, pipe: &SharedFd, file: &SharedFd, in_flight: bool) {
    let ctx: Context = backend.builder().max_requests(8).build().expect("a context");
    futures::executor::block_on(async {
        assert_eq!(ctx.write(b"x", file, 0).await.0.expect("a write"), 1);
    });
    if in_flight {
        let mut started: Vec<_> = (0..4).map(|_| ctx.read_into(vec![0; 64], pipe, u64::MAX).submit()).collect();
        let write = ctx.write(vec![0; 64], file, 64).submit();
        let polled = started[0].by_ref_now_or_never();
        assert!(polled, "nothing was ever written to this pipe");
        drop((ctx, write, started));
    }
}

/// Polls an operation once.
trait PollOnce {
    /// Whether it was pending.
    fn by_ref_now_or_never(&mut self) -> bool;
}

impl<F: Future + Unpin> PollOnce for F {
    fn by_ref_now_or_never(&mut self) -> bool {
        self.now_or_never().is_none()
    }
}

/// Waits for the background to end what it has to, with a deadline.
fn settle(before: Holdings) -> Holdings {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = Holdings::now().expect("/proc");
        if now.is_back_to(before) || Instant::now() > deadline {
            return now;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Makes and drops contexts with each backend, in a process of its own, so that no other test is counted.
fn come_and_go(contexts: usize) {
    for backend in backends().into_iter().filter(|backend| *backend != Backend::Portable) {
        // The writer stays open and silent: a read of this pipe ends only if somebody ends it.
        let (reader, _writer) = UnixStream::pair().expect("a pair");
        let pipe: SharedFd = OwnedFd::from(reader).into();
        let file: SharedFd = tempfile::tempfile().map(|file: File| file.into()).expect("a file");
        make_and_drop(backend, &pipe, &file, true);
        let before = settle(Holdings::quiet());
        for number in 0..contexts {
            make_and_drop(backend, &pipe, &file, number % 10 == 0);
        }
        let after = settle(before);
        println!("{}: {contexts} contexts: before {before:?}, after {after:?}", backend.name());
        assert!(after.is_back_to(before), "{}: before {before:?}, after {after:?}", backend.name());
    }
}

impl Holdings {
    /// What is held once the first context's threads have ended.
    const fn quiet() -> Self {
        let main_and_test = 2;
        Self { threads: main_and_test, descriptors: usize::MAX, resident_kib: u64::MAX / 2, aio_nr: u64::MAX }
    }
}

#[test]
fn contexts_leave_nothing_behind() {
    alone("leaks::contexts_leave_nothing_behind", || come_and_go(QUICK));
}

#[test]
#[ignore = "it takes minutes"]
fn ten_thousand_contexts_leave_nothing_behind() {
    alone("leaks::ten_thousand_contexts_leave_nothing_behind", || come_and_go(FULL));
}
