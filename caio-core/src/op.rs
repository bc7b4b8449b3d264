//! What an operation asks for, in the terms of a backend.

use crate::SharedFd;
use crate::fd::Traits;

/// The most that one transfer moves, in bytes: what Linux allows a single call (`MAX_RW_COUNT`).
///
/// A longer buffer is legal; the transfer is then short.
///
/// ```
/// use caio_core::MAX_TRANSFER;
/// let file_len: u64 = 5 << 30;
/// assert_eq!(file_len.div_ceil(MAX_TRANSFER as u64), 3); // it takes three reads at least
/// ```
pub const MAX_TRANSFER: usize = 0x7fff_f000;

/// The offset that means "no offset": the file's own position, as a pipe or a terminal needs it.
///
/// ```
/// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
/// # let pipe = fd;
/// use caio_core::NO_OFFSET;
/// let line = ctx.read(4096, pipe, NO_OFFSET).await?;
/// # Ok(()) }
/// ```
pub const NO_OFFSET: u64 = u64::MAX;

/// The most buffers that one vectored operation takes (`IOV_MAX` on Linux).
///
/// ```
/// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
/// # let mut records: Vec<Vec<u8>> = Vec::new();
/// use caio_core::MAX_BUFFERS;
/// let rest = records.split_off(records.len().min(MAX_BUFFERS)); // for the next operation
/// let (bytes, records) = ctx.writev(records, fd, 0).await;
/// # Ok(()) }
/// ```
pub const MAX_BUFFERS: usize = 1024;

/// The most bytes of a read or a write through the page cache that are copied in its caller's
/// thread in one go: some 10 microseconds.
pub const MAX_INLINE_BYTES: usize = 64 * 1024;

/// What kind of operation it is, for whoever chooses a route: decided once, when the operation is
/// described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpClass {
    /// A read at an offset, through the page cache.
    CachedRead,
    /// A write at an offset, through the page cache.
    BufferedWrite,
    /// A transfer at an offset of a file opened with `O_DIRECT`.
    Direct,
    /// A transfer at the file's own position ([`NO_OFFSET`]). The position has no lock that a ring
    /// would respect, so such transfers are made by a worker, one at a time for each file.
    Position,
    /// A sync.
    Sync,
    /// A transfer that may have to wait for somebody else: of a file that is no regular file, no
    /// directory and no block device.
    Stream,
}

impl OpClass {
    /// Whether operations of one file are carried out in the order in which they were submitted: a
    /// stream and a position have one.
    pub(crate) fn is_ordered(self) -> bool {
        match self {
            Self::Position | Self::Stream => true,
            Self::CachedRead | Self::BufferedWrite | Self::Direct | Self::Sync => false,
        }
    }

    /// The class of an operation on a file.
    #[inline]
    pub(crate) fn of(op: &Op, fd: &SharedFd) -> Self {
        let Some(offset) = op.offset() else {
            return Self::Sync;
        };
        match fd.traits() {
            Traits::Stream => Self::Stream,
            _ if offset == NO_OFFSET => Self::Position,
            Traits::Direct => Self::Direct,
            Traits::Cached if op.is_read() => Self::CachedRead,
            Traits::Cached => Self::BufferedWrite,
        }
    }

    /// The class of an operation before its file was asked for its kind: where it has an offset it is
    /// taken for a regular file, because an attempt on another kind says so itself.
    #[inline]
    pub(crate) fn guess(op: &Op, fd: &SharedFd) -> Self {
        if !fd.is_unknown() || op.offset().is_none_or(|offset| offset == NO_OFFSET) {
            return Self::of(op, fd);
        }
        match () {
            () if crate::platform::is_direct(fd.file()) => Self::Direct,
            () if op.is_read() => Self::CachedRead,
            () => Self::BufferedWrite,
        }
    }

    /// Whether a backend can finish it in its caller's thread.
    #[inline]
    pub(crate) fn may_be_inline(self) -> bool {
        matches!(self, Self::CachedRead | Self::BufferedWrite)
    }
}

/// One operation. Every backend matches it exhaustively, so that a new one breaks each of them at
/// compile time.
///
/// Only this crate makes one, and hands it out by reference for as long as the memory it names
/// belongs to the operation.
#[derive(Debug)]
pub enum Op {
    /// Reads into one region: `pread(2)`, or `read(2)` at [`NO_OFFSET`].
    Read {
        /// Where the bytes go; it may be uninitialised.
        region: Region,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// Writes one region: `pwrite(2)`, or `write(2)` at [`NO_OFFSET`].
    Write {
        /// Where the bytes are.
        region: Region,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// Reads into several regions in turn: `preadv(2)`.
    Readv {
        /// Where the bytes go; they may be uninitialised.
        regions: Regions,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// Writes several regions in turn: `pwritev(2)`.
    Writev {
        /// Where the bytes are.
        regions: Regions,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// Brings data and metadata to the disk: `fsync(2)`.
    Fsync,
    /// Brings data, and the metadata needed to read it back, to the disk: `fdatasync(2)`.
    Fdatasync,
}

impl Op {
    /// A second description of the same operation, for the token of a submission.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            &Self::Read { region, offset } => Self::Read { region, offset },
            &Self::Write { region, offset } => Self::Write { region, offset },
            Self::Readv { regions, offset } => Self::Readv { regions: regions.duplicate(), offset: *offset },
            Self::Writev { regions, offset } => Self::Writev { regions: regions.duplicate(), offset: *offset },
            Self::Fsync => Self::Fsync,
            Self::Fdatasync => Self::Fdatasync,
        }
    }

    /// What a read has left after `done` bytes, and of that at most `limit` bytes. Other operations
    /// are whole.
    #[inline]
    pub(crate) fn part(&self, done: usize, limit: usize) -> Self {
        match self {
            &Self::Read { region, offset } if offset != NO_OFFSET => {
                Self::Read { region: region.part(done, limit), offset: offset.saturating_add(done as u64) }
            }
            whole => whole.duplicate(),
        }
    }

    /// Its memory; none where it transfers nothing.
    #[must_use]
    #[inline]
    pub fn regions(&self) -> &[Region] {
        match self {
            Self::Read { region, .. } | Self::Write { region, .. } => std::slice::from_ref(region),
            Self::Readv { regions, .. } | Self::Writev { regions, .. } => regions.as_slice(),
            Self::Fsync | Self::Fdatasync => &[],
        }
    }

    /// Where in the file it transfers; `None` where it transfers nothing.
    #[must_use]
    #[inline]
    pub fn offset(&self) -> Option<u64> {
        match *self {
            Self::Read { offset, .. }
            | Self::Write { offset, .. }
            | Self::Readv { offset, .. }
            | Self::Writev { offset, .. } => Some(offset),
            Self::Fsync | Self::Fdatasync => None,
        }
    }

    /// How many bytes it asks for, at most [`MAX_TRANSFER`]; 0 where it transfers nothing.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Read { region, .. } | Self::Write { region, .. } => region.len(),
            Self::Readv { regions, .. } | Self::Writev { regions, .. } => regions.bytes().min(MAX_TRANSFER),
            Self::Fsync | Self::Fdatasync => 0,
        }
    }

    /// Whether it writes into the memory of its caller.
    #[must_use]
    #[inline]
    pub fn is_read(&self) -> bool {
        match self {
            Self::Read { .. } | Self::Readv { .. } => true,
            Self::Write { .. } | Self::Writev { .. } | Self::Fsync | Self::Fdatasync => false,
        }
    }

    /// Whether it changes the file.
    #[must_use]
    #[inline]
    pub fn is_write(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Writev { .. } => true,
            Self::Read { .. } | Self::Readv { .. } | Self::Fsync | Self::Fdatasync => false,
        }
    }

    /// Whether it brings the file to the disk.
    #[must_use]
    #[inline]
    pub fn is_sync(&self) -> bool {
        matches!(self, Self::Fsync | Self::Fdatasync)
    }
}

/// Memory of one operation: an address and a length, laid out as `struct iovec` on Unix.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Region {
    /// The first byte.
    ptr: *mut u8,
    /// How many bytes.
    len: usize,
}

// SAFETY: a region is an address; whoever follows it answers for that in an `unsafe` block of its
// own.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Names memory, clamped to [`MAX_TRANSFER`].
    pub(crate) fn new(ptr: *mut u8, len: usize) -> Self {
        Self { ptr, len: len.min(MAX_TRANSFER) }
    }

    /// What is left after `done` bytes, and of that at most `limit` bytes.
    #[inline]
    pub(crate) fn part(self, done: usize, limit: usize) -> Self {
        let done = done.min(self.len);
        Self { ptr: self.ptr.wrapping_add(done), len: (self.len - done).min(limit) }
    }

    /// The first byte. Following the pointer is sound until the operation is completed: until then
    /// the operation owns the memory, and nobody else reads or writes it.
    #[must_use]
    #[inline]
    pub fn as_ptr(&self) -> *mut u8 {
        self.ptr
    }

    /// How many bytes, at most [`MAX_TRANSFER`].
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The regions of a vectored operation; the array itself belongs to the operation as well.
///
/// It cannot be copied: it is seen by reference for as long as the array is there.
#[derive(Debug)]
pub struct Regions {
    /// The first region.
    ptr: *const Region,
    /// How many regions, at most [`MAX_BUFFERS`].
    count: usize,
}

// SAFETY: as for `Region`.
unsafe impl Send for Regions {}
// SAFETY: as for `Region`.
unsafe impl Sync for Regions {}

impl Regions {
    /// Names an array of regions that lives as long as the operation.
    ///
    /// # Safety
    /// The array stays where it is, unchanged, until the operation is completed.
    pub(crate) unsafe fn new(regions: &[Region]) -> Self {
        debug_assert!(regions.len() <= MAX_BUFFERS);
        Self { ptr: regions.as_ptr(), count: regions.len() }
    }

    /// A second name of the same array, for [`Op::duplicate`].
    fn duplicate(&self) -> Self {
        Self { ptr: self.ptr, count: self.count }
    }

    /// The first region: a `struct iovec *` on Unix.
    #[must_use]
    #[inline]
    pub fn as_ptr(&self) -> *const Region {
        self.ptr
    }

    /// How many regions.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The regions themselves.
    #[must_use]
    pub fn as_slice(&self) -> &[Region] {
        // SAFETY: `new` was promised that the array outlives the operation, and a `Regions` is
        // handed out by reference for no longer than that.
        unsafe { std::slice::from_raw_parts(self.ptr, self.count) }
    }

    /// How many bytes in all.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> usize {
        self.as_slice().iter().fold(0usize, |sum, region| sum.saturating_add(region.len()))
    }
}

/// How urgent an operation is to the disk's scheduler, see `ioprio_set(2)`. A hint: not every
/// scheduler follows it, and the portable implementation ignores it.
///
/// ```
/// use caio_core::IoPriority;
/// assert_eq!(IoPriority::BestEffort(7).level(), 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoPriority {
    /// Before everybody else; needs `CAP_SYS_ADMIN` or `CAP_SYS_NICE`. 0 is the most urgent level,
    /// 7 the least.
    RealTime(u8),
    /// The usual class. 0 is the most urgent level, 7 the least.
    BestEffort(u8),
    /// Only when nobody else uses the disk.
    Idle,
}

impl IoPriority {
    /// The level within its class, 0 to 7.
    ///
    /// ```
    /// use caio_core::IoPriority;
    /// assert!(IoPriority::BestEffort(0).level() < IoPriority::BestEffort(7).level()); // 0 is the most urgent
    /// ```
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::RealTime(level) | Self::BestEffort(level) => level,
            Self::Idle => 0,
        }
    }

    /// The value of `ioprio_set(2)`: the class in the upper 3 of 16 bits, the level in the lower
    /// 13.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        match self {
            Self::RealTime(level) => 1 << 13 | level as u16,
            Self::BestEffort(level) => 2 << 13 | level as u16,
            Self::Idle => 3 << 13,
        }
    }
}

// A region is the `struct iovec` that the kernel takes.
#[cfg(unix)]
const _: () = {
    assert!(size_of::<Region>() == size_of::<libc::iovec>());
    assert!(align_of::<Region>() == align_of::<libc::iovec>());
};
