//! What several tests need: contexts, files, pipes, processes of their own, and refusals of the
//! kernel.

use caio_aio::{Aio, Routes};
use caio_conformance::kit::{self, BLOCK};
use caio_conformance::test_dir;
use caio_core::{AlignedBuf, Context, SharedFd};
use std::fs;

/// Says why a test is not run.
pub(crate) fn skip(reason: impl std::fmt::Display) {
    println!("SKIP: {reason}");
}

/// A context; `None`, with the reason printed, where kernel AIO cannot be used here.
pub(crate) fn context(routes: Routes, max_requests: usize) -> Option<Context> {
    Aio::builder().routes(routes).max_requests(max_requests).build().map_err(skip).ok()
}

/// A file that is open with `O_DIRECT`, of `blocks` blocks on the disk, each filled with its
/// number; `None`, with the reason printed, where the file system has no direct I/O.
pub(crate) fn direct_file(blocks: usize) -> Option<SharedFd> {
    let bytes: Vec<u8> = (0..blocks * BLOCK).map(|at| (at / BLOCK) as u8).collect();
    kit::direct_file(&test_dir!(), &bytes)
}

/// An aligned buffer full of one byte.
pub(crate) fn block_of(byte: u8) -> AlignedBuf {
    let mut block = AlignedBuf::new(BLOCK, BLOCK);
    block.extend_from_slice(&[byte; BLOCK]);
    block
}

/// An aligned buffer with room for a block.
pub(crate) fn room() -> AlignedBuf {
    AlignedBuf::new(BLOCK, BLOCK)
}

/// How many kernel AIO contexts this process has: each maps its ring.
pub(crate) fn kernel_contexts() -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains("[aio]")).count()
}

/// How many entries a directory of this process in /proc has.
pub(crate) fn own(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}
