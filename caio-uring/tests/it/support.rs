//! What the tests share.

use caio_core::{Context, SharedFd};
use caio_uring::{Builder, Route, Routes, Uring};
use futures::executor::block_on;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// A builder whose reads, writes and syncs all go to the ring, or `None` (and a word about it) where there is no io_uring.
pub(crate) fn ring() -> Option<Builder> {
    builder(Routes::all(Route::Ring))
}

/// A builder with routes, or `None` (and a word about it) where there is no io_uring.
pub(crate) fn builder(routes: Routes) -> Option<Builder> {
    match Uring::builder().build() {
        Ok(_) => Some(Uring::builder().routes(routes)),
        Err(refusal) => {
            println!("SKIP: {refusal}");
            None
        }
    }
}

/// A pipe: what reads and what writes.
pub(crate) fn pipe() -> (SharedFd, File) {
    let mut ends = [0; 2];
    // SAFETY: the call writes two numbers.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0, "{}", io::Error::last_os_error());
    // SAFETY: the kernel has just opened both, and nobody else knows them.
    let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    (reader.into(), File::from(writer))
}

/// A file with content.
pub(crate) fn file(content: &[u8]) -> SharedFd {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(content).expect("content");
    file.into()
}

/// Reads at an offset and compares.
pub(crate) fn assert_content(ctx: &Context, fd: &SharedFd, offset: u64, content: &[u8]) {
    let read = block_on(ctx.read(content.len(), fd, offset)).expect("a read");
    assert!(read == content, "{} bytes at {offset} differ", content.len());
}

/// Waits until something is so, and panics if that takes too long.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs something that must end, and panics if it does not.
pub(crate) fn within<T: Send + 'static>(seconds: u64, what: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || drop(done.send(what())));
    match ended.recv_timeout(Duration::from_secs(seconds)) {
        Ok(value) => value,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends has sent"),
        },
    }
}

/// How many descriptors this process has open, how many threads, and how many pages of memory.
pub(crate) fn footprint() -> (usize, usize, usize) {
    let count = |folder| std::fs::read_dir(folder).map_or(0, Iterator::count);
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    (count("/proc/self/fd"), count("/proc/self/task"), resident)
}
