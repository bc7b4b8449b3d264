//! Systems that have no kernel AIO for us.

use caio_aio::Aio;
use caio_conformance::kit::seccomp::{Refused, refuse_or_skip};
use caio_core::{BackendKind, Context, Refusal};
use std::thread;

/// What is said where a system call is refused.
fn refused(call: libc::c_long, error: i32, step: &str, words: &[&str]) {
    thread::scope(|scope| {
        scope.spawn(|| {
            if !refuse_or_skip(&[Refused::always(call, error)]) {
                return;
            }
            let forced = Context::builder().backend(BackendKind::Aio).build().unwrap_err();
            let own = Aio::builder().build().unwrap_err();
            assert_eq!(forced.to_string(), own.to_string());
            let refusal: &Refusal = own.get_ref().and_then(|inner| inner.downcast_ref()).unwrap();
            assert_eq!((refusal.backend(), refusal.step()), (BackendKind::Aio, step));
            assert_eq!(refusal.errno(), Some(error));
            for word in words {
                assert!(refusal.remedy().contains(word), "{word} is missing: {refusal}");
            }
        });
    });
}

#[test]
fn a_kernel_without_it() {
    refused(libc::SYS_io_setup, libc::ENOSYS, "io_setup", &["CONFIG_AIO"]);
}

#[test]
fn a_container_that_forbids_it() {
    refused(libc::SYS_io_setup, libc::EPERM, "io_setup", &["seccomp", "Docker", "Kubernetes"]);
}

#[test]
fn a_container_that_forbids_its_use() {
    refused(libc::SYS_io_submit, libc::EPERM, "io_submit", &["seccomp"]);
    refused(libc::SYS_io_getevents, libc::EPERM, "io_getevents", &["seccomp"]);
}

/// So answer kernels before Linux 4.18, and emulators without kernel AIO: the likely causes are
/// named, and what to do.
#[test]
fn a_system_that_takes_nothing() {
    let words = ["4.18", "gVisor", "WSL", "qemu-user", "CAIO_IMPL=thread", "max_requests"];
    refused(libc::SYS_io_setup, libc::EINVAL, "io_setup", &words);
}

#[test]
fn too_many_open_files() {
    refused(libc::SYS_eventfd2, libc::EMFILE, "eventfd", &["RLIMIT_NOFILE"]);
}

#[test]
fn a_pool_without_threads() {
    let error = Aio::builder().pool_size(0).build().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
