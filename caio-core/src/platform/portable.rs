//! What works everywhere, by way of `std`.

use crate::fd::FileKind;
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

/// What kind of file it is: `fstat(2)`.
#[cfg(unix)]
pub(crate) fn kind(file: &File) -> FileKind {
    use std::os::unix::fs::FileTypeExt;
    let Ok(metadata) = file.metadata() else {
        return FileKind::Regular; // the operation itself tells what is wrong
    };
    let file_type = metadata.file_type();
    match () {
        () if file_type.is_file() => FileKind::Regular,
        () if file_type.is_dir() => FileKind::Directory,
        () if file_type.is_block_device() => FileKind::Block,
        () if file_type.is_fifo() => FileKind::Pipe,
        () if file_type.is_socket() => FileKind::Socket,
        () if file_type.is_char_device() => FileKind::Character,
        () => FileKind::Other,
    }
}

/// What kind of file it is. A handle that has no size is a pipe, a socket or a console.
#[cfg(not(unix))]
pub(crate) fn kind(file: &File) -> FileKind {
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => FileKind::Directory,
        Ok(_) => FileKind::Regular,
        Err(_) => FileKind::Pipe,
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
