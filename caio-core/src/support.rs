//! What every backend needs: threads that disturb nobody, locks that nothing poisons, guarded calls
//! of somebody else's code.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// Takes a lock. It cannot be poisoned: nobody else's code runs under a lock of this library's, and
/// what the lock guards is whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs somebody else's code, such as a waker. Its panic was reported by the panic hook, and goes
/// no further. The panic's payload is leaked, because dropping it may panic as well.
pub fn guarded(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        std::mem::forget(payload);
    }
}

/// Starts a thread that is a guest in its process: it blocks every signal that no fault raises,
/// from its first instruction on.
///
/// # Errors
/// Those of `pthread_create(3)`, such as `EAGAIN` where there may be no more threads.
pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = thread::Builder::new().name(name.to_owned());
    crate::platform::with_signals_blocked(|| builder.spawn(|| guarded(run))).map(drop)
}

/// A thread that is started when it is first needed, and then stays.
#[derive(Debug, Default)]
pub struct LazyThread {
    /// Whether it was started.
    started: AtomicBool,
    /// Held while it is being started.
    starting: Mutex<()>,
}

impl LazyThread {
    /// Not started.
    #[must_use]
    pub const fn new() -> Self {
        Self { started: AtomicBool::new(false), starting: Mutex::new(()) }
    }

    /// Starts the thread unless it was started. Says whether it was: `false` where no thread can be
    /// had; the next call tries again.
    pub fn ensure<R: FnOnce() + Send + 'static>(&self, name: &str, make: impl FnOnce() -> R) -> bool {
        if self.is_started() {
            return true;
        }
        let guard = lock(&self.starting);
        let started = self.is_started() || spawn(name, make()).is_ok();
        self.started.store(started, Ordering::Release);
        drop(guard);
        started
    }

    /// Whether it was started.
    #[must_use]
    #[inline]
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }
}

/// A number that the calling thread shares with no other, counted from 0 on.
#[must_use]
#[inline]
pub fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

/// How many processors this process may use. Asked once, because asking costs some twenty system
/// calls.
#[must_use]
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}
