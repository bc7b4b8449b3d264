//! Positional system calls as `std` makes them, to compare with.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// `pread(2)`.
pub fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buf, offset)
}

/// `pwrite(2)`.
pub fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(buf, offset)
}
