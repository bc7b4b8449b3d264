//! What a ring must know of a file beforehand. Nothing here asks a server.

use caio_core::{Fact, FileKind, SharedFd};
use caio_sys::mount::{MountKind, device, mount_kind};
use std::fs;
use std::os::fd::AsFd;

/// Whether submitting to the file waits for nobody. Elsewhere `io_uring_enter` would wait for a
/// server, whatever its flags.
pub(crate) fn is_prompt(fd: &SharedFd) -> bool {
    fd.fact(Fact::PromptSubmit, || fd.kind() == FileKind::Block || mount_kind(fd.as_fd()) != MountKind::Unknown)
}

/// Whether the file's device can be polled for completions.
pub(crate) fn is_polled(fd: &SharedFd) -> bool {
    fd.fact(Fact::PolledDevice, || device(fd.as_fd()).is_some_and(|(major, minor)| has_poll_queues(major, minor)))
}

/// Whether a block device has queues for polling, as `queue/io_poll` tells
/// (Documentation/ABI/stable/sysfs-block). A partition has those of its disk.
fn has_poll_queues(major: u32, minor: u32) -> bool {
    let device = format!("/sys/dev/block/{major}:{minor}");
    let told = ["queue", "../queue"].map(|queue| fs::read_to_string(format!("{device}/{queue}/io_poll")));
    told.into_iter().find_map(Result::ok).is_some_and(|told| told.trim() == "1")
}
