//! Reading and writing at a position on Unix: `pread(2)`, `pwrite(2)`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Reads at an offset.
pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buf, offset)
}

/// Writes at an offset.
pub(super) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(buf, offset)
}
