//! What several tests need: files, pipes, and a storm of signals.

use caio_conformance::{kit, test_dir};
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

/// How many signals were handled.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// An unnamed file on the disk that the build is on.
pub(crate) fn disk_file() -> File {
    kit::disk_file(&test_dir!())
}

/// A descriptor that only names the path; std drops `O_PATH` where musl counts it an access mode.
pub(crate) fn open_path(path: &CStr) -> OwnedFd {
    let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: it was just opened, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The errno of a failure.
pub(crate) fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

/// Runs `work` in a thread that a signal interrupts every millisecond, for five seconds at most.
pub(crate) fn under_signals<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(install_handler);
    let before = SIGNALS.load(Ordering::Relaxed);
    let started = Arc::new(AtomicBool::new(false));
    let announced = Arc::clone(&started);
    let worker = thread::spawn(move || {
        announced.store(true, Ordering::Release);
        work()
    });
    let mut sent = 0;
    while !worker.is_finished() && sent < 5000 {
        if started.load(Ordering::Acquire) {
            // SAFETY: the thread is not joined yet, so its handle is valid.
            unsafe { libc::pthread_kill(worker.as_pthread_t() as libc::pthread_t, libc::SIGUSR1) };
            sent += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let result = worker.join().unwrap();
    assert!(SIGNALS.load(Ordering::Relaxed) > before, "no signal arrived");
    result
}

/// Handles SIGUSR1 without `SA_RESTART`, so that the kernel interrupts calls.
fn install_handler() {
    extern "C" fn count(_: libc::c_int) {
        SIGNALS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: all zero is a valid sigaction: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler only counts, which is async-signal-safe.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}
