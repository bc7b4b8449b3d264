//! Why kernel AIO cannot be used here, and what to do about it.

use caio_core::{BackendKind, Refusal};
use caio_sys::errno::Meaning;
use std::fs;
use std::io;

/// What to do about a seccomp filter.
const SECCOMP: &str = "a seccomp filter forbids kernel AIO: allow io_setup, io_submit, io_getevents and io_destroy in \
     the container's profile (Docker and Podman: --security-opt seccomp=PROFILE; Kubernetes: \
     securityContext.seccompProfile), or use the thread backend (CAIO_IMPL=thread)";
/// What to do where there is none.
const ABSENT: &str = "this kernel was built without CONFIG_AIO, or a sandbox such as gVisor has no kernel AIO: use the \
     thread backend (CAIO_IMPL=thread)";
/// What to do where it is there and takes nothing.
const INVALID: &str = "a kernel before Linux 4.18, an emulator or sandbox that has no kernel AIO (qemu-user, gVisor, \
     WSL 1), or more requests than the system grants: use the thread backend (CAIO_IMPL=thread), or lower max_requests";
/// What to do about too little memory.
const MEMORY: &str = "the system or this container's memory limit has no room for the requests: lower max_requests, or \
     raise the limit";
/// What to do about too many descriptors.
const DESCRIPTORS: &str = "too many files are open: close some, or raise RLIMIT_NOFILE (ulimit -n) or fs.file-max";

/// Refuses because a system call failed.
pub(crate) fn of_call(step: &'static str, error: io::Error) -> Refusal {
    let remedy = match Meaning::of(&error) {
        Meaning::WouldBlock => exhausted(),
        Meaning::Unsupported => ABSENT.to_owned(),
        Meaning::Invalid => INVALID.to_owned(),
        Meaning::Forbidden => SECCOMP.to_owned(),
        Meaning::NoMemory => MEMORY.to_owned(),
        Meaning::NoDescriptor => DESCRIPTORS.to_owned(),
        Meaning::Interrupted | Meaning::Cancelled | Meaning::Other => {
            "see io_setup(2), and use the thread backend meanwhile (CAIO_IMPL=thread)".to_owned()
        }
    };
    Refusal::new(BackendKind::Aio, step, error, remedy)
}

/// What to do where the system has no more requests to give.
fn exhausted() -> String {
    format!(
        "the contexts of this system use {} of its {} AIO requests (fs.aio-nr, fs.aio-max-nr): raise the limit \
         (sysctl -w fs.aio-max-nr=1048576), lower max_requests, or make fewer contexts",
        limit("aio-nr"),
        limit("aio-max-nr"),
    )
}

/// A limit of the system, for the person who reads about it.
fn limit(name: &str) -> String {
    fs::read_to_string(format!("/proc/sys/fs/{name}")).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
}
