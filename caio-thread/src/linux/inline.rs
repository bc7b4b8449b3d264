//! Finishing an operation in its caller's thread, where that takes no waiting.

use super::syscalls::{iovecs, transfer};
use caio_core::{Attempt, Attempted, Fact, FileKind, MAX_INLINE_BYTES, OpClass, SharedFd};
use caio_sys::errno::Meaning;
use caio_sys::file::{status_flags, writes_are_synchronous};
use caio_sys::mount::{MountKind, mount_kind};
use caio_sys::rw::{self, Direction, RwFlags, transfer_raw};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// Finishes an operation in its caller's thread, if that takes no longer than copying 64 KiB; takes
/// no lock and allocates nothing.
///
/// It reads what the page cache holds, and writes where the file system takes a write without
/// waiting (`preadv2(2)` and `pwritev2(2)` with `RWF_NOWAIT`, Linux 4.14; XFS takes such writes,
/// ext4 does not); a read of tmpfs, which has no disk, is a plain call. It leaves alone what is
/// longer, writes that wait for the disk whatever their flags say (`O_DSYNC`, `chattr +S`, a mount
/// with `sync`), writes that a server might be asked about, and files on which it was repeatedly of
/// no use, as [`SharedFd`](caio_core::SharedFd) tells.
///
/// ```
/// use caio_core::{Attempt, Attempted};
/// fn in_a_backend(attempt: Attempt<'_>) -> Attempted {
///     caio_thread::attempt(attempt)
/// }
/// ```
pub fn attempt(attempt: Attempt<'_>) -> Attempted {
    match attempt.class() {
        OpClass::CachedRead => read(attempt),
        OpClass::BufferedWrite => write(attempt),
        OpClass::Direct | OpClass::Position | OpClass::Sync | OpClass::Stream => attempt.missed(),
    }
}

/// Reads what the page cache holds.
fn read(attempt: Attempt<'_>) -> Attempted {
    let (op, fd) = (attempt.op(), attempt.fd());
    let (asked, regions) = (op.bytes(), op.regions());
    let in_memory = fd.known(Fact::InMemory) == Some(true);
    let knows_nowait = fd.known(Fact::NowaitReads) != Some(false);
    if asked > MAX_INLINE_BYTES || !(knows_nowait || in_memory) || !fd.inline_is_worthwhile() {
        return attempt.missed();
    }
    let offset = op.offset().unwrap_or(rw::NO_OFFSET);
    // The call with flags finds no fault with a directory that it need not read anything of.
    let flags = if asked == 0 || in_memory { RwFlags::empty() } else { RwFlags::NOWAIT };
    // SAFETY: core lets the pointers of an attempt be followed until it is answered.
    match unsafe { transfer_raw(Direction::Read, fd.as_fd(), iovecs(regions), regions.len(), offset, flags) } {
        Ok(bytes) => {
            let end = offset + bytes as u64;
            if bytes != 0 && bytes < asked && !in_memory && !ends_at(fd, end) {
                fd.inline_missed();
                return attempt.missed();
            }
            fd.inline_hit();
            // SAFETY: the kernel has just written that many bytes to the memory of the operation.
            unsafe { attempt.transferred(bytes) }
        }
        Err(error) => {
            match Meaning::of(&error) {
                Meaning::WouldBlock => fd.inline_missed(),
                Meaning::Unsupported => learn_unknown(fd),
                _ => {}
            }
            attempt.missed()
        }
    }
}

/// Writes what the file takes without waiting.
fn write(attempt: Attempt<'_>) -> Attempted {
    let (op, fd) = (attempt.op(), attempt.fd());
    let asked = op.bytes();
    if asked > MAX_INLINE_BYTES || asked == 0 || !fd.fact(Fact::NowaitWrites, || may_write_nowait(fd)) {
        return attempt.missed();
    }
    // SAFETY: core lets the pointers of an attempt be followed until it is answered.
    match unsafe { transfer(op, fd.as_fd(), RwFlags::NOWAIT) } {
        // The rest would have had to wait. All of it again is the same write, unless it went to the
        // end of the file.
        Ok(bytes) if bytes < asked && !is_append(fd) => attempt.missed(),
        // SAFETY: so many bytes were written; no memory was read into.
        Ok(bytes) => unsafe { attempt.transferred(bytes) },
        Err(error) => {
            if Meaning::of(&error) == Meaning::Unsupported {
                fd.learn(Fact::NowaitWrites, false);
            }
            attempt.missed()
        }
    }
}

/// Reads of the file do not know `RWF_NOWAIT`. That does not matter if it is in memory.
fn learn_unknown(fd: &SharedFd) {
    fd.learn(Fact::NowaitReads, false);
    if fd.kind() == FileKind::Regular {
        fd.fact(Fact::InMemory, || mount_kind(fd.as_fd()) == MountKind::Memory);
    }
}

/// Whether a write may be asked not to wait. One that is synchronous waits for the disk, whatever
/// its flags say; whether it is is not asked of a server.
fn may_write_nowait(fd: &SharedFd) -> bool {
    let is_local = fd.kind() == FileKind::Block || mount_kind(fd.as_fd()) != MountKind::Unknown;
    is_local && !fd.fact(Fact::SyncWrites, || writes_are_synchronous(fd.as_fd()).unwrap_or(true))
}

/// Whether the file certainly has nothing at an offset, which tells a short read from one that met
/// a page not in memory.
fn ends_at(fd: &SharedFd, offset: u64) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    rw::read(fd.as_fd(), &mut byte, offset, RwFlags::NOWAIT).is_ok_and(|read| read.is_empty())
}

/// Whether writes go to the end of the file, whatever their offset.
fn is_append(fd: &SharedFd) -> bool {
    status_flags(fd.as_fd()).map_or(true, |flags| flags.is_append())
}
