//! What works everywhere: nothing but `std`.

use std::fs::File;

/// The process that made a context.
#[derive(Debug)]
pub(crate) struct Process(u32);

impl Process {
    /// The calling process.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether the caller is a child that inherited this by `fork`.
    pub(crate) fn is_left(&self) -> bool {
        self.0 != std::process::id()
    }
}

/// Whether the file bypasses the page cache: unknown here.
pub(crate) fn is_direct(_file: &File) -> bool {
    false
}

/// The alignment that direct transfers need, of memory and of offset, in bytes: unknown here.
pub(crate) fn dio_alignment(_file: &File) -> Option<(u32, u32)> {
    None
}

/// The name of an error number: unknown here.
pub(crate) fn errno_name(_errno: i32) -> Option<&'static str> {
    None
}
