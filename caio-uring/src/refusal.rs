//! Why io_uring cannot be used here, and what to do about it.

use caio_core::{BackendKind, Refusal};
use std::io;

/// The system call that makes a ring.
pub(crate) const SETUP: &str = "io_uring_setup";
/// The system call that hands work over.
pub(crate) const ENTER: &str = "io_uring_enter";
/// The system call that registers things.
pub(crate) const REGISTER: &str = "io_uring_register";

/// What to do about a seccomp filter.
const SECCOMP: &str = "a seccomp filter forbids it: run the container with a profile that allows io_uring_setup, io_uring_enter and \
     io_uring_register (Docker and Podman: --security-opt seccomp=PROFILE.json; Kubernetes: securityContext.seccompProfile of type \
     Localhost)";
/// What to do where there is none.
const ABSENT: &str = "this kernel has no io_uring, or a sandbox hides it (gVisor, WSL 1, a seccomp filter that answers ENOSYS): it needs \
     Linux 5.6 or later, and a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register";
/// What to do about too little memory.
const MEMORY: &str = "rings are charged to RLIMIT_MEMLOCK before Linux 5.12 and from 6.14 on: raise it (`ulimit -l`, systemd's \
     LimitMEMLOCK=, Docker's --ulimit memlock=), choose a smaller max_requests, or make fewer contexts";
/// What to do about an old kernel.
const OLD: &str = "io_uring needs Linux 5.6 or later";
/// What to do about too many descriptors.
const DESCRIPTORS: &str =
    "raise the limit of open files (`ulimit -n`, systemd's LimitNOFILE=; fs.file-max for ENFILE) or close some";

/// Refuses because a system call failed.
pub(crate) fn of_call(step: &'static str, error: io::Error) -> Refusal {
    let remedy = match error.raw_os_error() {
        Some(libc::ENOSYS) => ABSENT.to_owned(),
        Some(libc::EPERM | libc::EACCES) => forbidden(),
        Some(libc::ENOMEM) => MEMORY.to_owned(),
        Some(libc::EINVAL) => OLD.to_owned(),
        Some(libc::EMFILE | libc::ENFILE) => DESCRIPTORS.to_owned(),
        Some(libc::EAGAIN) => "the kernel is short of memory or threads for now: try again later".to_owned(),
        _ => "see io_uring_setup(2); another backend will do meanwhile".to_owned(),
    };
    Refusal::new(BackendKind::Uring, step, error, remedy)
}

/// Refuses an option, where a ring without it can be made.
pub(crate) fn of_option(step: &'static str, error: io::Error, remedy: &str) -> Refusal {
    Refusal::new(BackendKind::Uring, step, error, remedy)
}

/// Refuses a kernel that lacks something.
pub(crate) fn too_old(what: &'static str) -> Refusal {
    Refusal::new(BackendKind::Uring, what, io::Error::from_raw_os_error(libc::EOPNOTSUPP), OLD)
}

/// Refuses registered buffers.
pub(crate) fn of_buffers(error: io::Error) -> Refusal {
    let remedy = match error.raw_os_error() {
        Some(libc::ENOMEM) => {
            "registered buffers are charged to RLIMIT_MEMLOCK: raise it (`ulimit -l`, systemd's LimitMEMLOCK=), or register less"
        }
        _ => "register fewer or smaller buffers",
    };
    Refusal::new(BackendKind::Uring, "registered_buffers", error, remedy)
}

/// Refuses registered files.
pub(crate) fn of_files(error: io::Error) -> Refusal {
    let remedy = "register fewer files: RLIMIT_NOFILE bounds them (`ulimit -n`)";
    Refusal::new(BackendKind::Uring, "registered_files", error, remedy)
}

/// What forbids it: the sysctl, or else a filter.
fn forbidden() -> String {
    let setting = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    match setting.trim() {
        "2" => "the sysctl kernel.io_uring_disabled is 2, which forbids it to all: `sysctl -w kernel.io_uring_disabled=0`".to_owned(),
        "1" => "the sysctl kernel.io_uring_disabled is 1: `sysctl -w kernel.io_uring_disabled=0`, or put the user into the group of the \
                sysctl kernel.io_uring_group, or give the process CAP_SYS_ADMIN"
            .to_owned(),
        _ => SECCOMP.to_owned(),
    }
}
