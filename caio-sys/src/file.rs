//! What an open file is: its flags, its kind, its file system, and what it wants of direct I/O.

use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_long};

use crate::retry::retry;

/// `AT_STATX_DONT_SYNC`: tell what is known, without asking a server.
const AT_STATX_DONT_SYNC: c_int = 0x4000;
/// `FS_SYNC_FL`: the attribute of a file whose writes are synchronous.
const FS_SYNC_FL: c_int = 0x8;
/// `STATX_DIOALIGN`: the alignment of direct transfers.
const STATX_DIOALIGN: u16 = 0x2000;

/// The flags with which a file is open.
///
/// `fcntl(2)`, `F_GETFL`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
///
/// let flags = caio_sys::file::status_flags(tempfile::tempfile()?.as_fd())?;
/// assert!(flags.is_readable() && flags.is_writable() && !flags.is_direct());
/// # Ok(())
/// # }
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusFlags(c_int);

impl StatusFlags {
    /// Whether the file is open for reading.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// let null = std::fs::File::options().write(true).open("/dev/null")?;
    /// assert!(!caio_sys::file::status_flags(null.as_fd())?.is_readable());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn is_readable(self) -> bool {
        matches!(self.access(), libc::O_RDONLY | libc::O_RDWR)
    }

    /// Whether the file is open for writing.
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// let null = std::fs::File::open("/dev/null")?;
    /// assert!(!caio_sys::file::status_flags(null.as_fd())?.is_writable());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn is_writable(self) -> bool {
        matches!(self.access(), libc::O_WRONLY | libc::O_RDWR)
    }

    /// Whether transfers bypass the page cache (`O_DIRECT`).
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// let null = std::fs::File::open("/dev/null")?;
    /// assert!(!caio_sys::file::status_flags(null.as_fd())?.is_direct());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn is_direct(self) -> bool {
        self.0 & libc::O_DIRECT != 0
    }

    /// Whether writes go to the end of the file (`O_APPEND`).
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// let null = std::fs::File::options().append(true).open("/dev/null")?;
    /// assert!(caio_sys::file::status_flags(null.as_fd())?.is_append());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn is_append(self) -> bool {
        self.0 & libc::O_APPEND != 0
    }

    /// Whether calls on a pipe, socket or device fail rather than wait (`O_NONBLOCK`).
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// let event = caio_sys::eventfd::EventFd::new()?;
    /// assert!(caio_sys::file::status_flags(event.as_fd())?.is_nonblocking());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn is_nonblocking(self) -> bool {
        self.0 & libc::O_NONBLOCK != 0
    }

    /// Whether each write also syncs (`O_DSYNC` or `O_SYNC`).
    ///
    /// ```
    /// # use std::os::fd::AsFd;
    /// let null = std::fs::File::open("/dev/null")?;
    /// assert!(!caio_sys::file::status_flags(null.as_fd())?.is_sync());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn is_sync(self) -> bool {
        // O_SYNC includes the bit of O_DSYNC.
        self.0 & libc::O_DSYNC != 0
    }

    /// The access mode; a descriptor of `O_PATH` has none.
    const fn access(self) -> c_int {
        if self.0 & libc::O_PATH != 0 {
            return libc::O_ACCMODE;
        }
        self.0 & libc::O_ACCMODE
    }
}

/// What an open file is, as far as I/O minds.
///
/// `fstat(2)`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use caio_sys::file::{FileType, stat};
///
/// let stat = stat(tempfile::tempfile()?.as_fd())?;
/// assert_eq!((stat.file_type, stat.size), (FileType::Regular, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// The kind of file.
    pub file_type: FileType,
    /// The device that the file is on; with [`inode`](Self::inode) it names the file.
    pub device: u64,
    /// The file's number on its device.
    pub inode: u64,
    /// The length in bytes, for regular files.
    pub size: u64,
}

/// The kind of an open file.
///
/// `inode(7)`.
///
/// ```
/// # use std::os::fd::AsFd;
/// use caio_sys::file::{FileType, stat};
/// assert_eq!(stat(std::fs::File::open("/")?.as_fd())?.file_type, FileType::Directory);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharacterDevice,
    /// A pipe, with a name or without.
    Fifo,
    /// A socket.
    Socket,
    /// A symbolic link, opened with `O_PATH`.
    Symlink,
    /// Something that has no type, as an eventfd.
    Other,
}

/// What a file wants of a direct transfer, in bytes.
///
/// ```
/// let align = caio_sys::file::DioAlign { mem: 4, offset: 512 };
/// assert_eq!(4096 % align.offset, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DioAlign {
    /// The alignment of the buffer's address; never zero.
    pub mem: u32,
    /// The alignment of the offset and of the length; never zero.
    pub offset: u32,
}

/// The magic number of a file system.
///
/// `statfs(2)`.
///
/// ```
/// # use std::os::fd::AsFd;
/// use caio_sys::file::{FileSystem, file_system};
/// assert_eq!(file_system(std::fs::File::open("/proc")?.as_fd())?, FileSystem::PROC);
/// # Ok::<(), std::io::Error>(())
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem(pub u32);

impl FileSystem {
    /// ext2, ext3 and ext4.
    pub const EXT4: Self = Self(0xef53);
    /// XFS.
    pub const XFS: Self = Self(0x5846_5342);
    /// Btrfs.
    pub const BTRFS: Self = Self(0x9123_683e);
    /// F2FS.
    pub const F2FS: Self = Self(0xf2f5_2010);
    /// ZFS.
    pub const ZFS: Self = Self(0x2fc1_2fc1);
    /// tmpfs.
    pub const TMPFS: Self = Self(0x0102_1994);
    /// overlayfs, as containers have it.
    pub const OVERLAY: Self = Self(0x794c_7630);
    /// FUSE: a process serves it, and may take any time.
    pub const FUSE: Self = Self(0x6573_5546);
    /// NFS.
    pub const NFS: Self = Self(0x6969);
    /// CIFS.
    pub const CIFS: Self = Self(0xff53_4d42);
    /// SMB2 and later.
    pub const SMB2: Self = Self(0xfe53_4d42);
    /// 9P, as virtual machines have it.
    pub const V9FS: Self = Self(0x0102_1997);
    /// procfs.
    pub const PROC: Self = Self(0x9fa0);
    /// sysfs.
    pub const SYSFS: Self = Self(0x6265_6572);
}

/// `fcntl(fd, F_GETFL)`: the flags with which the file is open.
///
/// `fcntl(2)`.
///
/// # Errors
///
/// `EBADF`: the descriptor is not open.
///
/// ```
/// # use std::os::fd::AsFd;
/// let null = std::fs::File::open("/dev/null")?;
/// assert!(caio_sys::file::status_flags(null.as_fd())?.is_readable());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn status_flags(fd: BorrowedFd<'_>) -> io::Result<StatusFlags> {
    // SAFETY: the call takes numbers only.
    retry(|| unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) } as c_long).map(|flags| StatusFlags(flags as c_int))
}

/// `lseek(fd, 0, SEEK_CUR)`: whether the file has a position, so that an offset means something.
///
/// `lseek(2)`. Pipes, sockets and terminals have none.
///
/// # Errors
///
/// `EBADF`: the descriptor is not open.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use caio_sys::file::is_seekable;
///
/// let (socket, _other) = UnixStream::pair()?;
/// assert!(!is_seekable(socket.as_fd())?);
/// assert!(is_seekable(tempfile::tempfile()?.as_fd())?);
/// # Ok(())
/// # }
/// ```
pub fn is_seekable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: the call takes numbers only.
    let position = unsafe { libc::lseek64(fd.as_raw_fd(), 0, libc::SEEK_CUR) };
    if position >= 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ESPIPE) => Ok(false),
        _ => Err(error),
    }
}

/// `fstat(fd)`: what the file is.
///
/// `fstat(2)`.
///
/// # Errors
///
/// `EBADF`: the descriptor is not open. `ENOMEM`.
///
/// ```
/// # use std::os::fd::AsFd;
/// let null = std::fs::File::open("/dev/null")?;
/// let stat = caio_sys::file::stat(null.as_fd())?;
/// assert_eq!(stat.file_type, caio_sys::file::FileType::CharacterDevice);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stat(fd: BorrowedFd<'_>) -> io::Result<FileStat> {
    let mut stat = MaybeUninit::<libc::stat64>::uninit();
    // SAFETY: the kernel writes to a local of the type that the call takes.
    retry(|| unsafe { libc::fstat64(fd.as_raw_fd(), stat.as_mut_ptr()) } as c_long)?;
    // SAFETY: the call succeeded, so the structure is filled.
    let stat = unsafe { stat.assume_init() };
    let file_type = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => FileType::Regular,
        libc::S_IFDIR => FileType::Directory,
        libc::S_IFBLK => FileType::BlockDevice,
        libc::S_IFCHR => FileType::CharacterDevice,
        libc::S_IFIFO => FileType::Fifo,
        libc::S_IFSOCK => FileType::Socket,
        libc::S_IFLNK => FileType::Symlink,
        _ => FileType::Other,
    };
    Ok(FileStat {
        file_type,
        device: stat.st_dev,
        inode: stat.st_ino,
        // The kernel tells no negative size.
        size: stat.st_size as u64,
    })
}

/// `statx(fd, STATX_DIOALIGN)`: what the file wants of direct transfers.
///
/// `statx(2)`, Linux 6.1. `None` if the kernel or the file system does not tell, or if the file
/// takes no direct transfers.
///
/// # Errors
///
/// `EBADF`: the descriptor is not open. `ENOMEM`. A filter may refuse with another.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsFd;
///
/// if let Some(align) = caio_sys::file::dio_align(tempfile::tempfile()?.as_fd())? {
///     println!("offsets are multiples of {}", align.offset);
/// }
/// # Ok(())
/// # }
/// ```
pub fn dio_align(fd: BorrowedFd<'_>) -> io::Result<Option<DioAlign>> {
    let fd = c_long::from(fd.as_raw_fd());
    let flags = c_long::from(libc::AT_EMPTY_PATH | AT_STATX_DONT_SYNC);
    let mask = c_long::from(STATX_DIOALIGN);
    let mut stat = Statx::default();
    let told = retry(|| {
        // SAFETY: the path is a static C string, and the kernel writes to a local of its own type.
        unsafe { libc::syscall(libc::SYS_statx, fd, c"".as_ptr(), flags, mask, &raw mut stat) }
    });
    match told {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => return Ok(None),
        other => other?,
    };
    let (mem, offset) = (stat.dio_mem_align, stat.dio_offset_align);
    let known = stat.mask & u32::from(STATX_DIOALIGN) != 0 && mem != 0 && offset != 0;
    Ok(known.then_some(DioAlign { mem, offset }))
}

/// `fstatfs(fd)`: the file system that the file is on.
///
/// `statfs(2)`.
///
/// # Errors
///
/// `EBADF`: the descriptor is not open. `EIO`. `ENOSYS`: the file system does not tell.
///
/// ```
/// # use std::os::fd::AsFd;
/// let file = tempfile::tempfile()?;
/// println!("{:#x}", caio_sys::file::file_system(file.as_fd())?.0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn file_system(fd: BorrowedFd<'_>) -> io::Result<FileSystem> {
    let mut stat = MaybeUninit::<libc::statfs64>::uninit();
    // SAFETY: the kernel writes to a local of the type that the call takes.
    retry(|| unsafe { libc::fstatfs64(fd.as_raw_fd(), stat.as_mut_ptr()) } as c_long)?;
    // SAFETY: the call succeeded, so the structure is filled.
    let stat = unsafe { stat.assume_init() };
    // The kernel's magic numbers have 32 bits; the field is wider on most targets.
    #[allow(clippy::unnecessary_cast)]
    let magic = stat.f_type as u32;
    Ok(FileSystem(magic))
}

/// Whether each write waits until the disk has it, whatever the call's flags: the file is open with `O_DSYNC` or `O_SYNC`, has the
/// attribute of `chattr +S`, or is on a file system that is mounted with `sync`.
///
/// `fcntl(2)`, `ioctl_iflags(2)`, `statvfs(3)`.
///
/// # Errors
///
/// `EBADF`: the descriptor is not open. `EIO`. `ENOSYS`: the file system does not tell.
///
/// ```
/// # use std::os::fd::AsFd;
/// use std::os::unix::fs::OpenOptionsExt;
/// # let dir = tempfile::tempdir()?;
/// let log = std::fs::File::options().append(true).create(true).custom_flags(libc::O_DSYNC).open(dir.path().join("log"))?;
/// assert!(caio_sys::file::writes_are_synchronous(log.as_fd())?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn writes_are_synchronous(fd: BorrowedFd<'_>) -> io::Result<bool> {
    if status_flags(fd)?.is_sync() {
        return Ok(true);
    }
    let mut mount = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the kernel writes to a local of the type that the call takes.
    retry(|| unsafe { libc::fstatvfs(fd.as_raw_fd(), mount.as_mut_ptr()) } as c_long)?;
    // SAFETY: the call succeeded, so the structure is filled.
    let mount = unsafe { mount.assume_init() };
    if mount.f_flag & libc::ST_SYNCHRONOUS != 0 {
        return Ok(true);
    }
    if stat(fd)?.file_type != FileType::Regular {
        return Ok(false);
    }
    // An `int` is written, although the number of the call says that it is a `long`; there is room for either.
    let mut attributes: [c_int; 2] = [0; 2];
    // SAFETY: the kernel writes to a local that is as large as the call's number says.
    let told =
        retry(|| unsafe { libc::ioctl(fd.as_raw_fd(), libc::FS_IOC_GETFLAGS, attributes.as_mut_ptr()) } as c_long);
    Ok(told.is_ok() && attributes[0] & FS_SYNC_FL != 0)
}

/// `struct statx`, whose last fields older releases of libc lack on some targets.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Statx {
    /// `stx_mask`: what the kernel has told.
    pub(crate) mask: u32,
    /// `stx_blksize`.
    block_size: u32,
    /// From `stx_attributes` to `stx_mnt_id`.
    before: [u64; 18],
    /// `stx_dio_mem_align`.
    pub(crate) dio_mem_align: u32,
    /// `stx_dio_offset_align`.
    pub(crate) dio_offset_align: u32,
    /// What follows, known or spare.
    after: [u64; 12],
}

const _: () = {
    assert!(size_of::<Statx>() == 256);
    assert!(offset_of!(Statx, dio_mem_align) == 152);
    assert!(offset_of!(Statx, dio_offset_align) == 156);
};
