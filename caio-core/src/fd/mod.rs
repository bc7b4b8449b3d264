//! The file of an operation, which stays open for as long as any operation needs it.

mod facts;

pub(crate) use facts::Traits;
pub use facts::{Fact, FileKind};

use crate::close;
use crate::handle::Handle;
use facts::Facts;
use std::fs::File;
use std::mem::ManuallyDrop;

/// A shared, cheap to clone owner of an open file.
///
/// Each operation holds a clone, so that the descriptor can neither be closed nor its number be
/// reused under it. The file closes when the last clone is dropped: in the thread that drops it, or
/// in the background where closing may wait, as that of a socket with `SO_LINGER`. An operation
/// that was awaited to its end holds no clone; one that was dropped or cancelled holds one until
/// the backend has ended it.
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
    file: ManuallyDrop<File>,
    /// What is known about it.
    facts: Facts,
    /// Whose it is.
    owner: Owner,
}

/// Whose a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Ours: it is closed with the last clone.
    Us,
    /// Somebody else's, who closes it.
    Other,
}

impl Inner {
    /// Takes the file out; nobody uses this any more.
    fn into_file(self) -> File {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used again, nor dropped.
        unsafe { ManuallyDrop::take(&mut this.file) }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.owner == Owner::Other {
            return;
        }
        let kind = self.facts.known_kind();
        // SAFETY: nobody uses the file after this.
        let file = unsafe { ManuallyDrop::take(&mut self.file) };
        if kind.unwrap_or_else(|| crate::platform::kind(&file)).close_may_wait() {
            close::in_background(file);
        }
    }
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
        Self(Handle::new(Inner { file: ManuallyDrop::new(file), facts: Facts::new(), owner: Owner::Us }))
    }

    /// Names a descriptor that stays its owner's: it is not closed when the last clone is dropped.
    /// For bindings of languages in which files are numbers. The number may have been another file
    /// before: make one for each operation, so that nothing is known of that file.
    /// [`try_unwrap`](Self::try_unwrap) never gives it back.
    ///
    /// # Safety
    /// The descriptor stays open until all operations on it have ended.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::SharedFd;
    /// use std::os::fd::AsRawFd;
    /// let file = tempfile::tempfile()?;
    /// // SAFETY: the file is closed after it.
    /// let fd = unsafe { SharedFd::borrowed(file.as_raw_fd()) };
    /// drop(fd);
    /// assert_eq!(file.metadata()?.len(), 0); // it is still open
    /// # Ok(()) }
    /// ```
    #[cfg(unix)]
    #[must_use]
    pub unsafe fn borrowed(fd: std::os::fd::RawFd) -> Self {
        use std::os::fd::FromRawFd;
        // SAFETY: the caller promises that it is open; it is never closed here.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        Self(Handle::new(Inner { file, facts: Facts::new(), owner: Owner::Other }))
    }

    /// Forgets what is known of the file, because its number may have become another file since. Only the last clone does so, for
    /// what runs may be learning; says whether it has. It costs less than another [`borrowed`](Self::borrowed).
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::SharedFd;
    /// let mut fd: SharedFd = tempfile::tempfile()?.into();
    /// assert!(fd.forget());
    /// let operation = fd.clone(); // as one in flight holds it
    /// assert!(!fd.forget());
    /// # Ok(()) }
    /// ```
    #[must_use = "it may know the file still"]
    pub fn forget(&mut self) -> bool {
        let alone = self.0.is_alone();
        if alone {
            self.0.facts.forget();
        }
        alone
    }

    /// Whether nothing is known of it yet, because each operation has one of its own.
    #[inline]
    pub(crate) fn is_unknown(&self) -> bool {
        self.0.owner == Owner::Other && self.0.facts.known_kind().is_none()
    }

    /// The alignment that `O_DIRECT` transfers need, of memory and of offset and length, in bytes:
    /// `statx(2)`, Linux 6.1. `None` where the system does not tell.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// if let Some((memory, offset)) = fd.direct_alignment() {
    ///     println!("memory aligned to {memory} bytes, offset and length to {offset}");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn direct_alignment(&self) -> Option<(u32, u32)> {
        crate::platform::dio_alignment(self.file())
    }

    /// A clone that counts together with this one, for use by the same thread: it costs less than
    /// `clone`, which is for handing the file to another task.
    #[doc(hidden)]
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

    /// Whether both are clones of one another. Two descriptors of one file, opened or duplicated
    /// apart, are not.
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

    /// A number that this file's clones share and no other open `SharedFd` has; for a backend's
    /// maps.
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

    /// What is known about the file.
    #[inline]
    fn facts(&self) -> &Facts {
        &self.0.facts
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
        if self.0.owner == Owner::Other {
            return Err(self);
        }
        self.0.try_unwrap().map(Inner::into_file).map_err(Self)
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
