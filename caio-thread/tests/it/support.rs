//! What the tests share.

use caio_conformance::kit::until;
use caio_core::{
    Attempt, Attempted, Backend, BackendKind, Context, Finished, Key, Opened, Request, Settings, SharedFd, Submitted,
};
use caio_thread::{Builder, Counters, Pool, PoolSettings, ThreadPool};
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
#[cfg(target_os = "linux")]
use std::time::Duration;

pub(crate) use futures::executor::block_on;

/// A new file with nothing in it.
pub(crate) fn file() -> SharedFd {
    tempfile::tempfile().expect("a temporary file").into()
}

/// A backend of another kind that borrows the pool and nothing else: what the pool does is seen
/// from here.
struct Borrower(Pool);

#[allow(unsafe_code)]
// SAFETY: the pool keeps the trait's promises, and does all of it.
unsafe impl Backend for Borrower {
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        attempt.missed()
    }

    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        self.0.submit(request).map(|()| Submitted::Alone)
    }

    fn arm(&self) {
        self.0.arm();
    }

    fn cancel(&self, key: Key) {
        self.0.cancel(key);
    }

    fn shutdown(&self) {
        self.0.shutdown();
    }
}

/// A context over a pool, and the pool.
pub(crate) fn pooled(settings: PoolSettings) -> (Context, Pool) {
    pooled_with(settings, Settings::default().max_requests)
}

/// The same with a bound of its own on what is in flight.
pub(crate) fn pooled_with(settings: PoolSettings, max_requests: usize) -> (Context, Pool) {
    let mut pool = None;
    let mut common = Settings::default();
    common.max_requests = max_requests;
    let opened = Context::open(&common, BackendKind::Thread, |common, completer| {
        let made = Pool::new(settings, completer);
        pool = Some(made.clone());
        Ok(Opened {
            backend: Arc::new(Borrower(made)),
            kind: BackendKind::Thread,
            max_requests: common.max_requests,
            driver: None,
        })
    });
    let (ctx, _) = opened.expect("it opens");
    (ctx, pool.expect("it was opened"))
}

/// Settings with this many workers.
pub(crate) fn workers(max_threads: usize) -> PoolSettings {
    let mut settings = PoolSettings::default();
    settings.max_threads = max_threads;
    settings
}

/// What a pool has done, without the number of workers that there are now.
pub(crate) fn started(pool: &Pool) -> u64 {
    let Counters { started, .. } = pool.counters();
    started
}

/// Keeps one worker busy until it is dropped: with a task whose waker does not return.
pub(crate) struct Stall {
    /// The operation whose end stalls the worker.
    op: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Lets go once dropped.
    gate: Option<Sender<()>>,
}

impl Stall {
    /// Returns once a worker is stuck, with a lane that nobody else has.
    pub(crate) fn new(ctx: &Context) -> Self {
        Self::on(ctx, &file())
    }

    /// Returns once a worker is stuck after it has written to this file.
    pub(crate) fn on(ctx: &Context, fd: &SharedFd) -> Self {
        let (gate, closed) = channel();
        let (stuck, is_stuck) = channel();
        let waker = Waker::from(Arc::new(Sticky { stuck, gate: Mutex::new(closed) }));
        let mut cx = std::task::Context::from_waker(&waker);
        let mut op: Pin<Box<dyn Future<Output = ()>>>;
        // One that has ended before it could leave its waker wakes nobody.
        while {
            let write = ctx.write(b"stall", fd, 0).submit();
            op = Box::pin(async { drop(write.await) });
            op.as_mut().poll(&mut cx).is_ready()
        } {}
        // Polled until it parks, as a task is: only then does the pool have to do without workers
        // that are stuck already.
        let mut ended = false;
        until("a worker delivers", || {
            ended = ended || op.as_mut().poll(&mut cx).is_ready();
            is_stuck.try_recv().is_ok()
        });
        Self { op: Some(op), gate: Some(gate) }
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        drop(self.gate.take());
        drop(self.op.take());
    }
}

/// A waker that keeps the worker which calls it, and nobody else.
struct Sticky {
    /// Told when a worker is stuck.
    stuck: Sender<()>,
    /// Closed when it may go on.
    gate: Mutex<Receiver<()>>,
}

impl Wake for Sticky {
    fn wake(self: Arc<Self>) {
        if std::thread::current().name() == Some("caio-worker") {
            let told = self.stuck.send(());
            assert!(told.is_ok(), "the test waits for it");
            let opened = self.gate.lock().expect("one worker at a time").recv();
            assert!(opened.is_err(), "nothing is sent");
        }
    }
}

/// The implementation of this system, and the portable one.
pub(crate) fn both() -> [(&'static str, Builder); 2] {
    [false, true]
        .map(|portable| (if portable { "portable" } else { "native" }, ThreadPool::builder().portable(portable)))
}

/// The names of the library's threads.
#[cfg(target_os = "linux")]
pub(crate) fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("caio-")).collect()
}

/// How much processor time the calling thread has had.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_time() -> Duration {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

/// Checks that the process has next to nothing to do while something runs.
#[cfg(target_os = "linux")]
pub(crate) fn spins_not(name: &str, body: impl FnOnce()) {
    let before = clock(rustix::time::ClockId::ProcessCPUTime);
    body();
    let spent = clock(rustix::time::ClockId::ProcessCPUTime) - before;
    assert!(spent < Duration::from_millis(100), "{name}: {spent:?} of processor time");
}

/// What a clock shows.
#[cfg(target_os = "linux")]
fn clock(id: rustix::time::ClockId) -> Duration {
    let now = rustix::time::clock_gettime(id);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Makes a socket keep errors in a queue (`IP_RECVERR`, `ip(7)`), so that it polls as broken until
/// somebody takes them there.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn queue_errors(socket: &std::net::UdpSocket) {
    let (fd, on, size) = (std::os::fd::AsRawFd::as_raw_fd(socket), 1_i32, size_of::<i32>() as u32);
    // SAFETY: the option is an `int`, which the call reads.
    let set = unsafe { libc::setsockopt(fd, libc::IPPROTO_IP, libc::IP_RECVERR, (&raw const on).cast(), size) };
    assert_eq!(set, 0, "IP_RECVERR: {}", std::io::Error::last_os_error());
}

/// A pipe with a name: what is read from, and what is written to.
#[cfg(target_os = "linux")]
pub(crate) fn fifo() -> (SharedFd, std::fs::File) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a FIFO");
    // Opened for both ways, it does not wait for the other end.
    let both = std::fs::File::options().read(true).write(true).open(&path).expect("a FIFO");
    let reader = std::fs::File::open(&path).expect("a FIFO");
    let writer = std::fs::File::options().write(true).open(&path).expect("a FIFO");
    drop(both);
    (reader.into(), writer)
}

/// Descriptors without a position that have nothing to read, by name.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn devices() -> Vec<(&'static str, SharedFd)> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    use std::os::fd::{FromRawFd, OwnedFd};
    // SAFETY: a set of signals is plain numbers, of which none is set.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigaddset(&mut signals, libc::SIGRTMAX()) };
    // SAFETY: the set is ours.
    let signalfd = unsafe { libc::signalfd(-1, &signals, libc::SFD_CLOEXEC) };
    assert!(signalfd >= 0, "signalfd: {}", std::io::Error::last_os_error());
    // SAFETY: it has just been opened for us.
    let signalfd = unsafe { OwnedFd::from_raw_fd(signalfd) };
    let mut all = vec![
        ("eventfd", rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("an eventfd").into()),
        ("timerfd", timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).expect("a timerfd").into()),
        ("signalfd", signalfd.into()),
        ("inotify", rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC).expect("inotify").into()),
    ];
    if let Ok(kmsg) = std::fs::File::open("/dev/kmsg") {
        std::io::Seek::seek(&mut &kmsg, std::io::SeekFrom::End(0)).expect("the end of the kernel's log");
        all.push(("kmsg", kmsg.into()));
    }
    all
}
