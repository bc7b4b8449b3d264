//! What an open file is.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;

use caio_sys::eventfd::EventFd;
use caio_sys::file::{
    FileSystem, FileType, dio_align, file_system, is_seekable, stat, status_flags, writes_are_synchronous,
};

use crate::support::{disk_file, open_path};
use caio_conformance::{kit::pipe_ends, test_dir};

#[test]
fn flags_tell_the_access() {
    let access = |options: &File| {
        let flags = status_flags(options.as_fd()).unwrap();
        (flags.is_readable(), flags.is_writable(), flags.is_append())
    };
    let open = File::options;
    let null = "/dev/null";
    assert_eq!(access(&File::open(null).unwrap()), (true, false, false));
    let write = open().write(true).open(null).unwrap();
    assert_eq!(access(&write), (false, true, false));
    let both = open().read(true).write(true).open(null).unwrap();
    assert_eq!(access(&both), (true, true, false));
    let append = open().append(true).open(null).unwrap();
    assert_eq!(access(&append), (false, true, true));
    let path = File::from(open_path(c"/dev/null"));
    assert_eq!(access(&path), (false, false, false));
}

#[test]
fn flags_tell_how_writes_go() {
    let path = tempfile::NamedTempFile::new_in(test_dir!()).unwrap();
    let open = |flags| File::options().write(true).custom_flags(flags).open(&path);
    let sync = status_flags(open(libc::O_SYNC).unwrap().as_fd()).unwrap();
    assert!(sync.is_sync() && !sync.is_direct());
    let dsync = status_flags(open(libc::O_DSYNC).unwrap().as_fd()).unwrap();
    assert!(dsync.is_sync());
    let plain = status_flags(open(0).unwrap().as_fd()).unwrap();
    assert!(!plain.is_sync() && !plain.is_direct() && !plain.is_nonblocking());
    match open(libc::O_DIRECT) {
        Ok(file) => assert!(status_flags(file.as_fd()).unwrap().is_direct()),
        Err(error) => println!("skipped: the file system takes no O_DIRECT: {error}"),
    }
}

#[test]
fn kinds_are_told_apart() {
    let kind = |fd: &dyn AsFd| stat(fd.as_fd()).unwrap().file_type;
    assert_eq!(kind(&disk_file()), FileType::Regular);
    assert_eq!(kind(&File::open("/").unwrap()), FileType::Directory);
    assert_eq!(kind(&File::open("/dev/null").unwrap()), FileType::CharacterDevice);
    assert_eq!(kind(&pipe_ends().0), FileType::Fifo);
    assert_eq!(kind(&UnixStream::pair().unwrap().0), FileType::Socket);
    assert_eq!(kind(&EventFd::new().unwrap()), FileType::Other);
    let link = open_path(c"/proc/self");
    assert_eq!(kind(&link), FileType::Symlink);
}

#[test]
fn device_and_inode_name_the_file() {
    let file = disk_file();
    file.set_len(5 << 30).unwrap();
    let same = file.try_clone().unwrap();
    let one = stat(file.as_fd()).unwrap();
    assert_eq!(one, stat(same.as_fd()).unwrap());
    assert_eq!(one.size, 5 << 30);
    assert_ne!(one.inode, stat(disk_file().as_fd()).unwrap().inode);
}

#[test]
fn only_files_are_seekable() {
    assert!(is_seekable(disk_file().as_fd()).unwrap());
    assert!(!is_seekable(pipe_ends().0.as_fd()).unwrap());
    assert!(!is_seekable(UnixStream::pair().unwrap().0.as_fd()).unwrap());
}

#[test]
fn file_systems_are_known_by_their_number() {
    let on = |path: &str| file_system(File::open(path).unwrap().as_fd()).unwrap();
    assert_eq!(on("/proc/self"), FileSystem::PROC);
    assert_ne!(file_system(disk_file().as_fd()).unwrap(), FileSystem::PROC);
}

#[test]
fn synchronous_writes_are_told_of() {
    let dir = tempfile::tempdir_in(test_dir!()).unwrap();
    let path = dir.path().join("file");
    let opened = |flags| File::options().write(true).create(true).custom_flags(flags).open(&path).unwrap();
    let synchronous = |flags| writes_are_synchronous(opened(flags).as_fd()).unwrap();
    assert_eq!([0, libc::O_DSYNC, libc::O_SYNC].map(synchronous), [false, true, true]);
    assert!(!writes_are_synchronous(pipe_ends().1.as_fd()).unwrap());
    match std::process::Command::new("chattr").arg("+S").arg(&path).stderr(std::process::Stdio::null()).status() {
        Ok(status) if status.success() => assert!(synchronous(0)),
        _ => println!("skipped: no attribute can be set here"),
    }
}

#[test]
fn alignments_are_powers_of_two() {
    assert_eq!(dio_align(pipe_ends().0.as_fd()).unwrap(), None);
    match dio_align(disk_file().as_fd()).unwrap() {
        Some(align) => {
            assert!(align.mem.is_power_of_two(), "{align:?}");
            assert!(align.offset.is_power_of_two(), "{align:?}");
        }
        None => println!("skipped: the kernel or the file system does not tell"),
    }
}
