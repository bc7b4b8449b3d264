//! Where a file is: the kind of its file system, and its device. Nothing here asks that file
//! system.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, fcntl_get_seals, statx};

/// File systems whose files are in memory.
const MEMORY: [&str; 2] = ["ramfs", "tmpfs"];
/// File systems that answer by themselves, and honour `IOCB_NOWAIT` where they would wait for a
/// disk.
const LOCAL: [&str; 18] = [
    "bcachefs",
    "btrfs",
    "cgroup",
    "cgroup2",
    "devtmpfs",
    "erofs",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "hugetlbfs",
    "iso9660",
    "overlay",
    "proc",
    "squashfs",
    "sysfs",
    "vfat",
    "xfs",
];
/// `STATX_MNT_ID_UNIQUE`: a number that no other mount gets before the next reboot. Linux 6.8.
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);
/// How many mounts are remembered.
const MAX_KNOWN: usize = 16;

/// The mounts whose kind is known, the newest last.
static KNOWN: Mutex<Vec<(Mount, MountKind)>> = Mutex::new(Vec::new());

/// What to expect of the files of a mount.
///
/// ```
/// use std::os::fd::AsFd;
/// use caio_sys::mount::{MountKind, mount_kind};
///
/// let own = std::fs::File::open("/proc/self/maps")?;
/// assert_eq!(mount_kind(own.as_fd()), MountKind::Local);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// They are in memory (`tmpfs`, `ramfs`): a transfer is a copy.
    Memory,
    /// The kernel answers for them by itself, and a call that is asked not to wait does not.
    Local,
    /// A call may wait for a server, whatever it is asked: FUSE, network file systems, and all that
    /// is not known.
    Unknown,
}

impl MountKind {
    /// The kind of a file system, by the name of its type.
    fn of_type(name: &str) -> Self {
        if MEMORY.contains(&name) {
            Self::Memory
        } else if LOCAL.contains(&name) {
            Self::Local
        } else {
            Self::Unknown
        }
    }
}

/// A mount, as the kernel names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mount {
    /// Its number.
    id: u64,
    /// Its device, where the number alone may be used again.
    device: Option<(u32, u32)>,
}

/// What to expect of a regular file or a directory, by the mount that it is on. Of a device node
/// it says nothing: the node is on a mount, what it names is not.
///
/// Asks in ways that no file system answers: `statx(2)` with `AT_STATX_DONT_SYNC` for the mount
/// (Linux 5.8, before that `proc_pid_fdinfo(5)`), `proc_pid_mountinfo(5)` for its type. A mount is
/// asked about once.
///
/// ```
/// use std::os::fd::AsFd;
/// use caio_sys::mount::{MountKind, mount_kind};
///
/// let file = tempfile::tempfile()?;
/// if mount_kind(file.as_fd()) != MountKind::Unknown {
///     println!("{} bytes", file.metadata()?.len()); // which waits for no server
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn mount_kind(fd: BorrowedFd<'_>) -> MountKind {
    let Some(mount) = mount_of(fd) else {
        return MountKind::Unknown;
    };
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, kind)) = known().iter().find(|(known, _)| *known == mount) {
        return *kind;
    }
    let kind = ask_kind(fd);
    let mut known = known();
    if known.len() == MAX_KNOWN {
        known.remove(0);
    }
    known.push((mount, kind));
    kind
}

/// The device that a file's content is on: its major and minor number. `None` if the kernel does
/// not tell.
///
/// `statx(2)`, Linux 4.11, which asks no server here. Of a block device it is the device itself.
///
/// ```
/// use std::os::fd::AsFd;
///
/// let file = tempfile::tempfile()?;
/// if let Some((major, minor)) = caio_sys::mount::device(file.as_fd()) {
///     println!("/sys/dev/block/{major}:{minor}");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn device(fd: BorrowedFd<'_>) -> Option<(u32, u32)> {
    let answer = ask(fd, StatxFlags::TYPE)?;
    if FileType::from_raw_mode(answer.stx_mode.into()) == FileType::BlockDevice {
        return Some((answer.stx_rdev_major, answer.stx_rdev_minor));
    }
    Some((answer.stx_dev_major, answer.stx_dev_minor))
}

/// The kind of a mount that is not known yet.
fn ask_kind(fd: BorrowedFd<'_>) -> MountKind {
    let mountinfo = fs::read("/proc/thread-self/mountinfo").unwrap_or_default();
    let mountinfo = String::from_utf8_lossy(&mountinfo);
    match mountinfo_id(fd).and_then(|id| type_in(&mountinfo, id)) {
        Some(name) => MountKind::of_type(name),
        // `memfd_create(2)` has a mount that no list shows; files in memory alone have seals.
        None if fcntl_get_seals(fd).is_ok() => MountKind::Memory,
        None => MountKind::Unknown,
    }
}

/// The mount that a file is on.
fn mount_of(fd: BorrowedFd<'_>) -> Option<Mount> {
    let asked = ask(fd, StatxFlags::MNT_ID | MNT_ID_UNIQUE);
    let device = asked.as_ref().map(|answer| (answer.stx_dev_major, answer.stx_dev_minor));
    match asked {
        Some(answer) if answer.stx_mask & MNT_ID_UNIQUE.bits() != 0 => {
            Some(Mount { id: answer.stx_mnt_id, device: None })
        }
        Some(answer) if answer.stx_mask & StatxFlags::MNT_ID.bits() != 0 => {
            Some(Mount { id: answer.stx_mnt_id, device })
        }
        _ => Some(Mount { id: fdinfo_id(fd)?, device }),
    }
}

/// The number by which `mountinfo` lists the mount that a file is on.
fn mountinfo_id(fd: BorrowedFd<'_>) -> Option<u64> {
    match ask(fd, StatxFlags::MNT_ID) {
        Some(answer) if answer.stx_mask & StatxFlags::MNT_ID.bits() != 0 => Some(answer.stx_mnt_id),
        _ => fdinfo_id(fd),
    }
}

/// `statx(2)`, Linux 4.11; it tells what is known without asking a server.
fn ask(fd: BorrowedFd<'_>, mask: StatxFlags) -> Option<Statx> {
    statx(fd, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, mask).ok()
}

/// What `fdinfo` tells of a descriptor's mount.
fn fdinfo_id(fd: BorrowedFd<'_>) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// The type of a mount's file system: the first field after the separator.
fn type_in(mountinfo: &str, mount: u64) -> Option<&str> {
    let line = mountinfo.lines().find(|line| line.split(' ').next().and_then(|id| id.parse().ok()) == Some(mount))?;
    let (_, about) = line.split_once(" - ")?;
    about.split(' ').next()
}
