//! The file of an operation, which stays open for as long as any operation needs it.

use crate::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::fs::File;
use std::io::Seek;
use std::sync::Arc;

/// A shared, cheap to clone owner of an open file.
///
/// Each operation holds a clone, so that the descriptor can neither be closed nor its number be reused
/// under it. The file closes when the last clone is dropped, in the thread that drops it.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use caio_core::SharedFd;
/// let fd: SharedFd = tempfile::tempfile()?.into();
/// let same = fd.clone();
/// assert!(fd.is_same(&same));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SharedFd(Arc<Inner>);

/// What the clones share.
#[derive(Debug)]
struct Inner {
    /// The open file.
    file: File,
    /// What was learnt about it.
    hints: Hints,
}

impl SharedFd {
    /// Shares an open file.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self(Arc::new(Inner { file, hints: Hints::new() }))
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.0.file
    }

    /// Whether both are clones of one another. Two descriptors of one file, opened or duplicated apart, are not.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A number that this file's clones share and no other open `SharedFd` has; for a backend's maps.
    #[must_use]
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// What was learnt about the file, for a backend to choose a route by.
    #[must_use]
    pub fn hints(&self) -> &Hints {
        &self.0.hints
    }

    /// Whether the file has no positions: a pipe, a socket, a terminal. Asked of the system once.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.hints().is_stream(self.file())
    }

    /// Whether the file was opened with `O_DIRECT`. Asked of the system once.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.hints().is_direct(self.file())
    }

    /// Gives the file back if this is the last clone, else `self`.
    ///
    /// # Errors
    /// The fd itself, while other clones or operations hold it.
    pub fn try_unwrap(self) -> Result<File, Self> {
        Arc::try_unwrap(self.0).map(|inner| inner.file).map_err(Self)
    }
}

impl From<File> for SharedFd {
    fn from(file: File) -> Self {
        Self::new(file)
    }
}

#[cfg(unix)]
mod unix {
    //! Descriptors.
    use super::SharedFd;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

    impl From<OwnedFd> for SharedFd {
        fn from(fd: OwnedFd) -> Self {
            Self::new(fd.into())
        }
    }

    impl AsFd for SharedFd {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.file().as_fd()
        }
    }

    impl AsRawFd for SharedFd {
        fn as_raw_fd(&self) -> RawFd {
            self.file().as_raw_fd()
        }
    }
}

#[cfg(windows)]
mod windows {
    //! Handles.
    use super::SharedFd;
    use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle, RawHandle};

    impl From<OwnedHandle> for SharedFd {
        fn from(handle: OwnedHandle) -> Self {
            Self::new(handle.into())
        }
    }

    impl AsHandle for SharedFd {
        fn as_handle(&self) -> BorrowedHandle<'_> {
            self.file().as_handle()
        }
    }

    impl AsRawHandle for SharedFd {
        fn as_raw_handle(&self) -> RawHandle {
            self.file().as_raw_handle()
        }
    }
}

/// Facts of [`Hints::facts`]: asked already.
const ASKED: u8 = 1;
/// Facts of [`Hints::facts`]: it has no positions.
const STREAM: u8 = 2;
/// Facts of [`Hints::facts`]: it bypasses the page cache.
const DIRECT: u8 = 4;
/// How many misses in a row make the inline route not worth trying.
const MISSES: u32 = 4;
/// How many operations go by before the inline route is tried again.
const PAUSE: u32 = 256;

/// What was learnt about a file. Advice only: a wrong hint costs time, never a wrong result.
#[derive(Debug)]
pub struct Hints {
    /// `ASKED`, `STREAM`, `DIRECT`.
    facts: AtomicU8,
    /// Consecutive misses of the inline route; from `MISSES` on, how far its pause has gone.
    misses: AtomicU32,
    /// Bits that belong to the backend.
    marks: AtomicU32,
}

impl Hints {
    /// Nothing is known yet.
    fn new() -> Self {
        Self { facts: AtomicU8::new(0), misses: AtomicU32::new(0), marks: AtomicU32::new(0) }
    }

    /// The facts, asked once.
    fn facts(&self, file: &File) -> u8 {
        let known = self.facts.load(Ordering::Relaxed);
        if known & ASKED != 0 {
            return known;
        }
        let mut file_position = file;
        let stream =
            matches!(file_position.stream_position(), Err(error) if error.kind() == std::io::ErrorKind::NotSeekable);
        let facts = ASKED | if stream { STREAM } else { 0 } | if crate::platform::is_direct(file) { DIRECT } else { 0 };
        self.facts.store(facts, Ordering::Relaxed);
        facts
    }

    /// See [`SharedFd::is_stream`].
    fn is_stream(&self, file: &File) -> bool {
        self.facts(file) & STREAM != 0
    }

    /// See [`SharedFd::is_direct`].
    fn is_direct(&self, file: &File) -> bool {
        self.facts(file) & DIRECT != 0
    }

    /// Whether the inline route is worth a try: not after repeated misses, until some operations have gone by.
    #[must_use]
    pub fn inline_is_worthwhile(&self) -> bool {
        let misses = self.misses.load(Ordering::Relaxed);
        if misses < MISSES {
            return true;
        }
        let passed = if misses >= MISSES + PAUSE { MISSES - 1 } else { misses + 1 };
        self.misses.store(passed, Ordering::Relaxed);
        passed < MISSES
    }

    /// The inline route served an operation.
    pub fn inline_hit(&self) {
        if self.misses.load(Ordering::Relaxed) != 0 {
            self.misses.store(0, Ordering::Relaxed);
        }
    }

    /// The inline route was of no use to an operation.
    pub fn inline_missed(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// The bits that backends have set.
    #[must_use]
    pub fn marks(&self) -> u32 {
        self.marks.load(Ordering::Relaxed)
    }

    /// Sets bits, which say something of the file to the backend that uses them.
    pub fn mark(&self, bits: u32) {
        self.marks.fetch_or(bits, Ordering::Relaxed);
    }
}
