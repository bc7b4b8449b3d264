//! Files that are open with `O_DIRECT`.

use caio_core::SharedFd;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What every disk's blocks divide.
pub const BLOCK: usize = 4096;

/// Opens a file with `O_DIRECT`.
///
/// # Errors
/// `EINVAL` where the file system has no `O_DIRECT`.
pub fn open_direct(path: &Path) -> io::Result<SharedFd> {
    let opened = File::options().read(true).write(true).custom_flags(libc::O_DIRECT).open(path)?;
    Ok(opened.into())
}

/// A new file without a name in this directory, with this content on the disk and not in the page cache, open with `O_DIRECT`.
/// `None`, with the reason printed, where the file system has no `O_DIRECT`.
///
/// # Panics
/// If the file cannot be made.
#[must_use]
pub fn direct_file(dir: &Path, content: &[u8]) -> Option<SharedFd> {
    let mut file = tempfile::NamedTempFile::new_in(dir).expect("a file");
    file.write_all(content).expect("its content");
    file.as_file().sync_all().expect("its content on the disk");
    // A write that finds pages in the cache has to throw them away first, which counts as blocking.
    // SAFETY: the call takes numbers only.
    unsafe { libc::posix_fadvise(file.as_file().as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    open_direct(file.path()).inspect_err(|error| println!("SKIP: no O_DIRECT in {}: {error}", dir.display())).ok()
}
