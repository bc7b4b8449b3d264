//! The file of an operation, which stays open for as long as any operation needs it.

use crate::handle::Handle;
use crate::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::fs::File;
use std::io::Seek;

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
pub struct SharedFd(Handle<Inner>);

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
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::SharedFd;
    /// let fd = SharedFd::new(tempfile::tempfile()?);
    /// assert_eq!(fd.file().metadata()?.len(), 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(file: File) -> Self {
        Self(Handle::new(Inner { file, hints: Hints::new() }))
    }

    /// A clone that counts together with this one, for use by the same thread: it costs less than `clone`, which is for handing
    /// the file to another task.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// assert!(fd.share().is_same(&fd));
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn share(&self) -> Self {
        Self(self.0.share())
    }

    /// The file itself.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// fd.file().set_len(4096)?; // what no operation does, the file itself can
    /// assert_eq!(fd.file().metadata()?.len(), 4096);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn file(&self) -> &File {
        &self.0.file
    }

    /// Whether both are clones of one another. Two descriptors of one file, opened or duplicated apart, are not.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::SharedFd;
    /// let fd: SharedFd = tempfile::tempfile()?.into();
    /// let duplicate: SharedFd = fd.file().try_clone()?.into();
    /// assert!(fd.is_same(&fd.clone()) && !fd.is_same(&duplicate));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }

    /// A number that this file's clones share and no other open `SharedFd` has; for a backend's maps.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use caio_core::SharedFd;
    /// use std::collections::HashMap;
    /// let fd: SharedFd = tempfile::tempfile()?.into();
    /// let mut waiting: HashMap<usize, Vec<&str>> = HashMap::new();
    /// waiting.entry(fd.id()).or_default().push("a sync");
    /// waiting.entry(fd.clone().id()).or_default().push("another");
    /// assert_eq!(waiting.len(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn id(&self) -> usize {
        self.0.address()
    }

    /// What was learnt about the file, for a backend to choose a route by.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// assert!(fd.hints().inline_is_worthwhile()); // until experience says otherwise
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn hints(&self) -> &Hints {
        &self.0.hints
    }

    /// Whether the file has no positions: a pipe, a socket, a terminal. Asked of the system once.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// let offset = if fd.is_stream() { caio_core::NO_OFFSET } else { 0 };
    /// assert_eq!(offset, 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn is_stream(&self) -> bool {
        self.hints().is_stream(self.file())
    }

    /// Whether the file was opened with `O_DIRECT`. Asked of the system once.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::AlignedBuf;
    /// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// let buf = if fd.is_direct() { AlignedBuf::new(4096, 4096) } else { AlignedBuf::new(100, 1) };
    /// assert_eq!(buf.capacity(), 100);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn is_direct(&self) -> bool {
        self.hints().is_direct(self.file())
    }

    /// Gives the file back if this is the last clone, else `self`.
    ///
    /// # Errors
    /// The fd itself, while other clones or operations hold it.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::SharedFd;
    /// let fd: SharedFd = tempfile::tempfile()?.into();
    /// let operation = fd.clone(); // as one in flight holds it
    /// let fd = fd.try_unwrap().unwrap_err();
    /// drop(operation);
    /// let file: std::fs::File = fd.try_unwrap().unwrap();
    /// # Ok(()) }
    /// ```
    pub fn try_unwrap(self) -> Result<File, Self> {
        self.0.try_unwrap().map(|inner| inner.file).map_err(Self)
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
        #[inline]
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
///
/// ```
/// const NO_NOWAIT: u32 = 1; // a backend's own bit
/// /// Whether a backend tries its inline route, after what earlier operations on the file have shown.
/// fn is_worth_a_try(attempt: &caio_core::Attempt<'_>) -> bool {
///     let hints = attempt.fd().hints();
///     hints.marks() & NO_NOWAIT == 0 && hints.inline_is_worthwhile()
/// }
/// ```
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
    #[inline]
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
    #[inline]
    fn is_stream(&self, file: &File) -> bool {
        self.facts(file) & STREAM != 0
    }

    /// See [`SharedFd::is_direct`].
    #[inline]
    fn is_direct(&self, file: &File) -> bool {
        self.facts(file) & DIRECT != 0
    }

    /// Whether the inline route is worth a try: not after repeated misses, until some operations have gone by.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// let hints = fd.hints();
    /// (0..4).for_each(|_| hints.inline_missed());
    /// assert!(!hints.inline_is_worthwhile());
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
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
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// let hints = fd.hints();
    /// (0..4).for_each(|_| hints.inline_missed());
    /// hints.inline_hit(); // one success makes up for all of them
    /// assert!(hints.inline_is_worthwhile());
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn inline_hit(&self) {
        if self.misses.load(Ordering::Relaxed) != 0 {
            self.misses.store(0, Ordering::Relaxed);
        }
    }

    /// The inline route was of no use to an operation.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// fd.hints().inline_missed();
    /// assert!(fd.hints().inline_is_worthwhile()); // one miss says little
    /// # Ok(()) }
    /// ```
    pub fn inline_missed(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// The bits that backends have set.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// const NO_NOWAIT: u32 = 1; // a backend's own bit
    /// assert_eq!(fd.hints().marks() & NO_NOWAIT, 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn marks(&self) -> u32 {
        self.marks.load(Ordering::Relaxed)
    }

    /// Sets bits, which say something of the file to the backend that uses them.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// const NO_NOWAIT: u32 = 1; // a backend's own bits
    /// const SLOW_SYNC: u32 = 2;
    /// fd.hints().mark(NO_NOWAIT);
    /// fd.hints().mark(SLOW_SYNC);
    /// assert_eq!(fd.clone().hints().marks(), NO_NOWAIT | SLOW_SYNC);
    /// # Ok(()) }
    /// ```
    pub fn mark(&self, bits: u32) {
        self.marks.fetch_or(bits, Ordering::Relaxed);
    }
}
