//! Positional system calls as `std` makes them, to compare with.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;

/// `ReadFile` at an offset.
pub fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buf, offset)
}

/// `WriteFile` at an offset.
pub fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(buf, offset)
}
