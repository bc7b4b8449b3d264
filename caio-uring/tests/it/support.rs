//! What the tests share.

use caio_conformance::kit::direct_file;
use caio_conformance::test_dir;
use caio_core::{Context, Fact, SharedFd};
use caio_uring::{Builder, Route, Routes, Uring};
use futures::executor::block_on;
use std::io::Write;

/// What every disk's blocks divide.
pub(crate) const BLOCK: usize = 4096;

/// A builder whose reads, writes and syncs all go to the ring, or `None` (and a word about it)
/// where there is no io_uring.
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

/// A file with content.
pub(crate) fn file(content: &[u8]) -> SharedFd {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(content).expect("content");
    file.into()
}

/// A file full of sevens that is open with `O_DIRECT`, or `None` (and a word about it) where that
/// cannot be. A ring is told that submitting to it may wait: so threads of the kernel's begin all
/// operations, of which there are few, and the others wait in a queue of the kernel's.
pub(crate) fn queued_file(bytes: usize) -> Option<SharedFd> {
    let fd = direct_file(&test_dir!(), &vec![7; bytes])?;
    fd.learn(Fact::PromptSubmit, false);
    Some(fd)
}

/// Reads at an offset and compares.
pub(crate) fn assert_content(ctx: &Context, fd: &SharedFd, offset: u64, content: &[u8]) {
    let read = block_on(ctx.read(content.len(), fd, offset)).expect("a read");
    assert!(read == content, "{} bytes at {offset} differ", content.len());
}

/// How many descriptors this process has open, how many threads, and how many pages of memory.
pub(crate) fn footprint() -> (usize, usize, usize) {
    let count = |folder| std::fs::read_dir(folder).map_or(0, Iterator::count);
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    (count("/proc/self/fd"), count("/proc/self/task"), resident)
}
