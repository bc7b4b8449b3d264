//! Reading and writing at a position on Windows: `ReadFile` and `WriteFile` with an offset, which also move the file's own position.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;

/// Reads at an offset.
pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buf, offset)
}

/// Writes at an offset.
pub(super) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(buf, offset)
}
