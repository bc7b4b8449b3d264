//! Whether a file may keep the thread that submits it: then its requests are begun in a thread of the kernel's.

use crate::ring::lock;
use caio_core::SharedFd;
use std::fs;
use std::os::fd::AsRawFd;
use std::sync::Mutex;

/// File systems that honour `IOCB_NOWAIT`, or answer from memory. Any other, FUSE and network file systems above all, would have
/// `io_uring_enter` wait for its server.
const PROMPT: [&str; 20] = [
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
    "ramfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "vfat",
    "xfs",
];
/// How many mounts are remembered.
const MEMORY: usize = 16;

/// What was learnt about mounts.
#[derive(Debug, Default)]
pub(crate) struct Filesystems {
    /// The numbers of mounts, and whether their files are prompt; the newest last.
    known: Mutex<Vec<(u64, bool)>>,
}

impl Filesystems {
    /// Whether submitting a request on this file waits for nobody. Asks the kernel in ways that ask no server
    /// (`proc_pid_fdinfo(5)`, `proc_pid_mountinfo(5)`); where it does not tell, the answer is no.
    pub(crate) fn is_prompt(&self, fd: &SharedFd) -> bool {
        let Some(mount) = mount_of(fd) else {
            return false;
        };
        if let Some((_, prompt)) = lock(&self.known).iter().find(|(known, _)| *known == mount) {
            return *prompt;
        }
        let prompt = type_of(mount).is_some_and(|name| PROMPT.contains(&name.as_str()));
        let mut known = lock(&self.known);
        if known.len() == MEMORY {
            known.remove(0);
        }
        known.push((mount, prompt));
        prompt
    }
}

/// The number of the mount that a file is on.
fn mount_of(fd: &SharedFd) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// The type of a mount's file system: the first field after the separator.
fn type_of(mount: u64) -> Option<String> {
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    let mounts = String::from_utf8_lossy(&mounts);
    let line = mounts.lines().find(|line| line.split(' ').next().and_then(|id| id.parse().ok()) == Some(mount))?;
    let (_, about) = line.split_once(" - ")?;
    about.split(' ').next().map(str::to_owned)
}
