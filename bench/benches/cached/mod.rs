//! What the micro-benchmarks of real files have in common: a small file in the page cache, and blocks that are used again.

use caio::{AlignedBuf, Context, SharedFd};
use std::fs::{self, File};
use std::path::Path;

/// Bytes an operation.
pub const BLOCK_BYTES: usize = 4096;
/// Blocks in the file.
const BLOCKS: usize = 64;

/// A file of known size, all of it cached; `name` is the benchmark's, so that no two share one.
pub fn file(name: &str) -> SharedFd {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, vec![0x5a; BLOCKS * BLOCK_BYTES]).expect("room for a small file");
    File::options().read(true).write(true).open(path).expect("the file was just made").into()
}

/// A block to read into or to write.
pub fn block() -> AlignedBuf {
    AlignedBuf::zeroed(BLOCK_BYTES, BLOCK_BYTES)
}

/// A context, unless the system refuses it: then says so.
pub fn usable(name: &str, context: std::io::Result<Context>) -> Option<Context> {
    context.inspect_err(|error| println!("SKIP: {name}: {error}")).ok()
}
