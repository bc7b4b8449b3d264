//! What Linux offers beyond `std`.

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

/// Whether the file bypasses the page cache.
pub(crate) fn is_direct(file: &File) -> bool {
    caio_sys::file::status_flags(file.as_fd()).is_ok_and(|flags| flags.is_direct())
}

/// The alignment that direct transfers need, of memory and of offset, in bytes; Linux 6.1 and later tell it.
pub(crate) fn dio_alignment(file: &File) -> Option<(u32, u32)> {
    let align = caio_sys::file::dio_align(file.as_fd()).ok().flatten()?;
    Some((align.mem, align.offset))
}

/// The name of an error number.
pub(crate) fn errno_name(errno: i32) -> Option<&'static str> {
    caio_sys::errno::errno_name(errno)
}
