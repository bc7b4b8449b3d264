//! What is learnt about a file, kept in the bits of its hints that belong to this crate.

use caio_core::SharedFd;
use caio_sys::file::{FileSystem, FileType, file_system, stat, writes_are_synchronous};
use std::os::fd::AsFd;

/// Its reads know no `RWF_NOWAIT`.
pub(super) const NO_NOWAIT_READ: u32 = 1 << 24;
/// Its writes know no `RWF_NOWAIT`.
pub(super) const NO_NOWAIT_WRITE: u32 = 1 << 25;
/// Whether it is a character device was asked.
const ASKED: u32 = 1 << 26;
/// It is a character device.
const DEVICE: u32 = 1 << 27;

/// Whether its writes are synchronous was asked.
const WRITES_ASKED: u32 = 1 << 29;

/// It is a regular file without a disk: any read of it is a copy.
pub(super) const IN_MEMORY: u32 = 1 << 28;

/// Reads of the file were found to know no `RWF_NOWAIT`: remembers that, or that it does not matter since the file is in memory.
pub(super) fn learn_no_nowait_read(fd: &SharedFd) {
    let regular = stat(fd.as_fd()).is_ok_and(|stat| stat.file_type == FileType::Regular);
    let memory = regular && file_system(fd.as_fd()).is_ok_and(|system| system == FileSystem::TMPFS);
    fd.hints().mark(if memory { IN_MEMORY } else { NO_NOWAIT_READ });
}

/// Whether a write may be tried that is not to wait. One that is synchronous waits for the disk, whatever its flags say.
pub(super) fn may_write_nowait(fd: &SharedFd) -> bool {
    let marks = fd.hints().marks();
    if marks & (WRITES_ASKED | NO_NOWAIT_WRITE) == 0 && !fd.is_stream() {
        let synchronous = writes_are_synchronous(fd.as_fd()).unwrap_or(true);
        fd.hints().mark(if synchronous { WRITES_ASKED | NO_NOWAIT_WRITE } else { WRITES_ASKED });
        return !synchronous;
    }
    marks & NO_NOWAIT_WRITE == 0
}

/// Whether an operation on the file may have to wait for somebody else: a pipe, a socket, a character device.
pub(super) fn may_wait(fd: &SharedFd) -> bool {
    if fd.is_stream() {
        return true;
    }
    let marks = fd.hints().marks();
    if marks & ASKED != 0 {
        return marks & DEVICE != 0;
    }
    let device = stat(fd.as_fd()).is_ok_and(|stat| stat.file_type == FileType::CharacterDevice);
    fd.hints().mark(if device { ASKED | DEVICE } else { ASKED });
    device
}
