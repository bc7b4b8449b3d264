//! The kind of file system that a file is on.

use caio_conformance::kit::pipe_ends;
use caio_conformance::kit::seccomp::{Refused, refuse_or_skip};
use caio_sys::mount::{MountKind, device, mount_kind};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr;

/// What is said of the file or folder at a path.
fn kind_at(path: impl AsRef<Path>) -> MountKind {
    mount_kind(File::open(path).unwrap().as_fd())
}

#[test]
fn what_the_kernel_makes_up_is_local() {
    assert_eq!(kind_at("/proc/self/maps"), MountKind::Local);
    assert_eq!(kind_at("/proc"), MountKind::Local);
}

#[test]
fn a_file_in_memory_is_told_although_no_list_shows_its_mount() {
    // SAFETY: the name is a C string.
    let fd = unsafe { libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: it was just opened, and nobody else knows it.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    assert_eq!(mount_kind(file.as_fd()), MountKind::Memory);
}

#[test]
fn what_is_in_no_list_is_unknown() {
    assert_eq!(kind_at("/proc/self/ns/mnt"), MountKind::Unknown);
    assert_eq!(mount_kind(pipe_ends().0.as_fd()), MountKind::Unknown);
}

#[test]
fn the_device_is_that_of_the_content() {
    let number = |device| (libc::major(device), libc::minor(device));
    let file = tempfile::tempfile().unwrap();
    assert_eq!(device(file.as_fd()), Some(number(file.metadata().unwrap().dev())));
    match File::open("/dev/loop0") {
        Ok(block) => assert_eq!(device(block.as_fd()), Some(number(block.metadata().unwrap().rdev()))),
        Err(error) => println!("SKIP: /dev/loop0: {error}"),
    }
}

/// Linux before 5.8.
#[test]
fn a_kernel_that_does_not_tell_the_mount_is_asked_otherwise() {
    let body = || {
        if !refuse_or_skip(&[Refused::always(libc::SYS_statx, libc::ENOSYS)]) {
            return;
        }
        assert_eq!(kind_at("/proc/self/maps"), MountKind::Local);
        assert_eq!(kind_at("/proc/self/ns/mnt"), MountKind::Unknown);
    };
    std::thread::spawn(body).join().unwrap();
}

/// Mounts a file system of a type, for the calling thread alone.
fn mounted(kind: &str, at: &Path) -> io::Result<()> {
    let (kind, at) = (CString::new(kind).unwrap(), CString::new(at.as_os_str().as_bytes()).unwrap());
    // SAFETY: the strings live through the call.
    match unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, ptr::null()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes it away again; a child of another test may still have a file of it open.
fn unmount(at: &Path) {
    let at = CString::new(at.as_os_str().as_bytes()).unwrap();
    // SAFETY: the string lives through the call.
    assert_eq!(unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) }, 0, "{}", io::Error::last_os_error());
}

/// Has the calling thread see mounts of its own from now on, which nobody else sees.
fn own_mounts() -> io::Result<()> {
    // SAFETY: takes a number.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the string lives through the call.
    if unshared && unsafe { libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null()) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// More mounts than are remembered, whose numbers are used again.
#[test]
fn mounts_that_come_and_go_are_not_mixed_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let body = || {
        if let Err(error) = own_mounts().and_then(|()| mounted("tmpfs", at)) {
            return println!("SKIP: mounting is refused: {error}");
        }
        for round in 0..40 {
            assert_eq!(kind_at(at), MountKind::Memory, "{round}");
            unmount(at);
            mounted("devpts", at).unwrap();
            assert_eq!(kind_at(at), MountKind::Unknown, "{round}");
            unmount(at);
            mounted(if round % 2 == 0 { "ramfs" } else { "tmpfs" }, at).unwrap();
        }
    };
    std::thread::scope(|scope| scope.spawn(body).join().unwrap());
}
