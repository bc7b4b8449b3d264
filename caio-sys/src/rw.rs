//! Positional and vectored reads and writes with per-call flags, and the calls that make them last.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::ops::BitOr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_long};

pub use libc::iovec;

use crate::retry::retry;

/// The offset that means none: the file's own position, and the only one that a pipe takes.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use caio_sys::rw::{NO_OFFSET, RwFlags, write};
///
/// let (socket, _other) = UnixStream::pair()?;
/// assert_eq!(write(socket.as_fd(), b"hello", NO_OFFSET, RwFlags::empty())?, 5);
/// # Ok(())
/// # }
/// ```
pub const NO_OFFSET: u64 = u64::MAX;

/// A set of `RWF_*` flags, for one call.
///
/// `preadv2(2)`, Linux 4.6.
///
/// ```
/// use caio_sys::rw::RwFlags;
///
/// let flags = RwFlags::DSYNC | RwFlags::NOWAIT;
/// assert!(flags.contains(RwFlags::NOWAIT));
/// assert!(!flags.contains(RwFlags::APPEND));
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RwFlags(c_int);

impl RwFlags {
    /// `RWF_HIPRI`: poll the device for the completion; `O_DIRECT` only. Linux 4.6.
    pub const HIPRI: Self = Self(0x01);
    /// `RWF_DSYNC`: like `O_DSYNC`, for this write. Linux 4.7.
    pub const DSYNC: Self = Self(0x02);
    /// `RWF_SYNC`: like `O_SYNC`, for this write. Linux 4.7.
    pub const SYNC: Self = Self(0x04);
    /// `RWF_NOWAIT`: `EAGAIN` or a short transfer rather than a wait for the disk. Linux 4.14; a file
    /// system that cannot promise it answers `EOPNOTSUPP`.
    pub const NOWAIT: Self = Self(0x08);
    /// `RWF_APPEND`: write at the end of the file, whatever the offset. Linux 4.16.
    pub const APPEND: Self = Self(0x10);

    /// No flag.
    ///
    /// ```
    /// assert_eq!(caio_sys::rw::RwFlags::empty().bits(), 0);
    /// ```
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Whether no flag is set.
    ///
    /// ```
    /// assert!(!caio_sys::rw::RwFlags::SYNC.is_empty());
    /// ```
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every flag of `other` is set.
    ///
    /// ```
    /// use caio_sys::rw::RwFlags;
    /// assert!((RwFlags::SYNC | RwFlags::APPEND).contains(RwFlags::APPEND));
    /// ```
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, as `iocb.aio_rw_flags` and a ring's entries take them.
    ///
    /// ```
    /// assert_eq!(caio_sys::rw::RwFlags::NOWAIT.bits(), 8);
    /// ```
    pub const fn bits(self) -> c_int {
        self.0
    }
}

impl BitOr for RwFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `preadv2(fd, buf, offset, flags)`: reads at `offset`, and returns the bytes that were read.
///
/// `pread(2)`, or `read(2)` with [`NO_OFFSET`]; `preadv2(2)`, Linux 4.6, if there are flags. Nothing
/// read into a buffer with room is the end of the file.
///
/// # Errors
///
/// `EAGAIN`: `NOWAIT`, and the bytes are not in memory. `EBADF`: not open for reading. `EINVAL`: the
/// offset or the end of the transfer is beyond `i64::MAX`, or direct I/O is misaligned. `EIO`. `EISDIR`. `ENOSYS`: flags, and
/// no `preadv2`. `EOPNOTSUPP`: a flag that the file or the kernel does not know. `ESPIPE`: an offset
/// for a pipe.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use caio_sys::rw::{RwFlags, read, write};
///
/// let file = tempfile::tempfile()?;
/// write(file.as_fd(), b"hello", 3, RwFlags::empty())?;
/// let mut buf: Vec<u8> = Vec::with_capacity(16);
/// let bytes = read(file.as_fd(), buf.spare_capacity_mut(), 3, RwFlags::empty())?;
/// assert_eq!(bytes, b"hello");
/// # Ok(())
/// # }
/// ```
pub fn read<'buf>(
    fd: BorrowedFd<'_>,
    buf: &'buf mut [MaybeUninit<u8>],
    offset: u64,
    flags: RwFlags,
) -> io::Result<&'buf mut [u8]> {
    let one = iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: `buf` is writable for its length, and nobody else has it during the call.
    let count = unsafe { transfer_raw(Direction::Read, fd, &raw const one, 1, offset, flags) }?;
    let filled = &mut buf[..count];
    // SAFETY: the kernel wrote that many bytes from the start of the buffer.
    Ok(unsafe { &mut *(ptr::from_mut(filled) as *mut [u8]) })
}

/// `pwritev2(fd, buf, offset, flags)`: writes at `offset`, and returns how many bytes it took.
///
/// `pwrite(2)`, or `write(2)` with [`NO_OFFSET`]; `pwritev2(2)`, Linux 4.6, if there are flags.
///
/// # Errors
///
/// As [`read`], and `EDQUOT`, `EFBIG`, `ENOSPC`, `EPIPE`, `EROFS`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use caio_sys::rw::{RwFlags, write};
///
/// let file = tempfile::tempfile()?;
/// assert_eq!(write(file.as_fd(), b"hello", 0, RwFlags::empty())?, 5);
/// # Ok(())
/// # }
/// ```
pub fn write(fd: BorrowedFd<'_>, buf: &[u8], offset: u64, flags: RwFlags) -> io::Result<usize> {
    let one = iovec { iov_base: buf.as_ptr().cast_mut().cast(), iov_len: buf.len() };
    // SAFETY: `buf` is readable for its length.
    unsafe { transfer_raw(Direction::Write, fd, &raw const one, 1, offset, flags) }
}

/// `preadv2(fd, bufs, offset, flags)`: [`read`] into several buffers, one after the other.
///
/// `readv(2)`; `preadv2(2)`, Linux 4.6, if there are flags.
///
/// # Errors
///
/// As [`read`]; `EINVAL` also for more than 1024 buffers.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::IoSliceMut;
/// use std::os::fd::AsFd;
/// use caio_sys::rw::{RwFlags, readv, write};
///
/// let file = tempfile::tempfile()?;
/// write(file.as_fd(), b"hello", 0, RwFlags::empty())?;
/// let (mut a, mut b) = ([0; 2], [0; 3]);
/// let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
/// assert_eq!(readv(file.as_fd(), &mut bufs, 0, RwFlags::empty())?, 5);
/// assert_eq!((&a, &b), (b"he", b"llo"));
/// # Ok(())
/// # }
/// ```
pub fn readv(fd: BorrowedFd<'_>, bufs: &mut [IoSliceMut<'_>], offset: u64, flags: RwFlags) -> io::Result<usize> {
    // SAFETY: `IoSliceMut` is an iovec, by its own promise, of a buffer that is ours to write to.
    unsafe { transfer_raw(Direction::Read, fd, bufs.as_ptr().cast(), bufs.len(), offset, flags) }
}

/// `pwritev2(fd, bufs, offset, flags)`: [`write()`] from several buffers, one after the other.
///
/// `writev(2)`; `pwritev2(2)`, Linux 4.6, if there are flags.
///
/// # Errors
///
/// As [`write()`]; `EINVAL` also for more than 1024 buffers.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::IoSlice;
/// use std::os::fd::AsFd;
/// use caio_sys::rw::{RwFlags, writev};
///
/// let file = tempfile::tempfile()?;
/// let bufs = [IoSlice::new(b"he"), IoSlice::new(b"llo")];
/// assert_eq!(writev(file.as_fd(), &bufs, 0, RwFlags::empty())?, 5);
/// # Ok(())
/// # }
/// ```
pub fn writev(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>], offset: u64, flags: RwFlags) -> io::Result<usize> {
    // SAFETY: `IoSlice` is an iovec, by its own promise, of a buffer that is ours to read from.
    unsafe { transfer_raw(Direction::Write, fd, bufs.as_ptr().cast(), bufs.len(), offset, flags) }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the file to memory.
    Read,
    /// From memory to the file.
    Write,
}

/// [`readv`] or [`writev`] for an address and a number of iovecs. Makes the least of the three calls
/// that does it, so that one without flags works where there is no `preadv2`.
///
/// Not by way of the C library: glibc before 2.26 and musl before 1.2.5 lack `preadv2`, the name of
/// the 64-bit variant differs, and glibc makes each of them a cancellation point.
///
/// # Errors
///
/// As [`readv`] and [`writev`].
///
/// # Safety
///
/// `count` iovecs at `iov` are valid for reads. What each names is, for a read, valid for writes and
/// accessed by nobody else during the call; for a write, valid for reads and written to by nobody.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use caio_sys::rw::{Direction, RwFlags, iovec, transfer_raw};
///
/// let file = tempfile::tempfile()?;
/// let iov = [iovec { iov_base: b"hello".as_ptr().cast_mut().cast(), iov_len: 5 }];
/// // SAFETY: the bytes are static, and `iov` is ours.
/// let n = unsafe { transfer_raw(Direction::Write, file.as_fd(), iov.as_ptr(), 1, 0, RwFlags::empty()) }?;
/// assert_eq!(n, 5);
/// # Ok(())
/// # }
/// ```
#[inline]
pub unsafe fn transfer_raw(
    direction: Direction,
    fd: BorrowedFd<'_>,
    iov: *const iovec,
    count: usize,
    offset: u64,
    flags: RwFlags,
) -> io::Result<usize> {
    if flags.is_empty() && count == 1 {
        // SAFETY: the caller vouches for the iovec and its buffer.
        return unsafe { single(direction, fd, *iov, offset) };
    }
    let [plain, positional, flagged] = match direction {
        Direction::Read => [libc::SYS_readv, libc::SYS_preadv, libc::SYS_preadv2],
        Direction::Write => [libc::SYS_writev, libc::SYS_pwritev, libc::SYS_pwritev2],
    };
    let (fd, count) = (c_long::from(fd.as_raw_fd()), count as c_long);
    // The kernel puts the offset together from two longs; of 64-bit ones it ignores the second.
    let (low, high) = (offset as c_long, (offset >> 32) as c_long);
    if !flags.is_empty() {
        let flags = c_long::from(flags.bits());
        // SAFETY: the caller vouches for the iovecs and their buffers.
        retry(|| unsafe { libc::syscall(flagged, fd, iov, count, low, high, flags) })
    } else if offset == NO_OFFSET {
        // SAFETY: the caller vouches for the iovecs and their buffers.
        retry(|| unsafe { libc::syscall(plain, fd, iov, count) })
    } else {
        // SAFETY: the caller vouches for the iovecs and their buffers.
        retry(|| unsafe { libc::syscall(positional, fd, iov, count, low, high) })
    }
}

/// The same of one buffer and without flags. The vectored calls find no fault with a directory that
/// they need not read anything of.
///
/// # Safety
///
/// As [`transfer_raw`].
unsafe fn single(direction: Direction, fd: BorrowedFd<'_>, one: iovec, offset: u64) -> io::Result<usize> {
    let (fd, iovec { iov_base, iov_len }) = (fd.as_raw_fd(), one);
    // SAFETY: the caller vouches for the buffer.
    retry(|| unsafe {
        match (direction, offset) {
            (Direction::Read, NO_OFFSET) => libc::read(fd, iov_base, iov_len) as c_long,
            (Direction::Read, _) => libc::pread64(fd, iov_base, iov_len, offset as i64) as c_long,
            (Direction::Write, NO_OFFSET) => libc::write(fd, iov_base, iov_len) as c_long,
            (Direction::Write, _) => libc::pwrite64(fd, iov_base, iov_len, offset as i64) as c_long,
        }
    })
}

/// `fsync(fd)`: the file's data and metadata are on the disk.
///
/// `fsync(2)`.
///
/// # Errors
///
/// `EIO`, `ENOSPC`, `EDQUOT`: something written before, by anybody, is lost. `EINVAL`: not a file
/// that can be synced. `EROFS`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// caio_sys::rw::fsync(tempfile::tempfile()?.as_fd())
/// # }
/// ```
pub fn fsync(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes a number only.
    retry(|| unsafe { libc::fsync(fd.as_raw_fd()) } as c_long).map(drop)
}

/// `fdatasync(fd)`: the file's data, and the metadata needed to read it, are on the disk.
///
/// `fdatasync(2)`.
///
/// # Errors
///
/// As [`fsync`].
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// caio_sys::rw::fdatasync(tempfile::tempfile()?.as_fd())
/// # }
/// ```
pub fn fdatasync(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes a number only.
    retry(|| unsafe { libc::fdatasync(fd.as_raw_fd()) } as c_long).map(drop)
}
