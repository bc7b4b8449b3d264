//! What Linux offers beyond `std`.

use crate::fd::FileKind;
use rustix::fs::{AtFlags, FileType, StatxFlags, fstat, statx};
use std::fs::File;
use std::os::fd::AsFd;

/// The process that made a context.
#[derive(Debug)]
pub(crate) struct Process(caio_sys::fork::ForkDetector);

impl Process {
    /// The calling process.
    pub(crate) fn current() -> Self {
        Self(caio_sys::fork::ForkDetector::new())
    }

    /// Whether the caller is a child that inherited this by `fork`.
    #[inline]
    pub(crate) fn is_left(&self) -> bool {
        self.0.is_child()
    }
}

/// What kind of file it is: `statx(2)`, Linux 4.11, in a way that asks no server of a network file
/// system.
pub(crate) fn kind(file: &File) -> FileKind {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let mode = match statx(file, "", flags, StatxFlags::TYPE) {
        Ok(stat) => u32::from(stat.stx_mode),
        Err(_) => match fstat(file) {
            Ok(stat) => stat.st_mode,
            Err(_) => return FileKind::Regular, // the operation itself tells what is wrong
        },
    };
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::BlockDevice => FileKind::Block,
        FileType::Fifo => FileKind::Pipe,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice => FileKind::Character,
        _ => FileKind::Other,
    }
}

/// Whether the file is open with `O_DIRECT`: `fcntl(2)`.
pub(crate) fn is_direct(file: &File) -> bool {
    rustix::fs::fcntl_getfl(file).is_ok_and(|flags| flags.contains(rustix::fs::OFlags::DIRECT))
}

/// The alignment that direct transfers need, of memory and of offset, in bytes; Linux 6.1 and later
/// tell it.
pub(crate) fn dio_alignment(file: &File) -> Option<(u32, u32)> {
    let align = caio_sys::file::dio_align(file.as_fd()).ok().flatten()?;
    Some((align.mem, align.offset))
}

/// The name of an error number.
pub(crate) fn errno_name(errno: i32) -> Option<&'static str> {
    caio_sys::errno::errno_name(errno)
}
