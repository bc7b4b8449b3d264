//! Detecting a fork, with real forks.

use std::io;

use caio_conformance::kit::alone;
use caio_conformance::kit::seccomp::{Refused, refuse_or_skip};
use caio_sys::fork::ForkDetector;

#[test]
fn a_process_is_not_its_own_child() {
    let first = ForkDetector::new();
    let second = ForkDetector::new();
    assert!(!first.is_child() && !second.is_child());
}

#[test]
fn a_fork_is_a_child_and_its_own_detector_starts_anew() {
    // SAFETY: the child makes async-signal-safe calls only.
    check_line_of_forks(|| unsafe { libc::fork() });
}

#[test]
fn a_raw_clone_is_a_child_too() {
    // No handler of the C library runs here.
    check_line_of_forks(|| {
        let flags = libc::c_long::from(libc::SIGCHLD);
        // SAFETY: as a fork; the child makes async-signal-safe calls only.
        unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) as i32 }
    });
}

#[test]
fn without_wiped_pages_process_ids_are_compared() {
    alone("fork::without_wiped_pages_process_ids_are_compared", || {
        if !refuse_or_skip(&[Refused::always(libc::SYS_madvise, libc::EINVAL)]) {
            return;
        }
        let detector = ForkDetector::new();
        assert!(format!("{detector:?}").contains("ProcessId"), "{detector:?}");
        // SAFETY: the child makes async-signal-safe calls only.
        check_line_of_forks(|| unsafe { libc::fork() });
    });
}

/// Forks, forks the child again, and checks what each detector says in each process.
fn check_line_of_forks(fork: impl Fn() -> i32) {
    let parents = ForkDetector::new();
    let status = in_child(&fork, || {
        let inherited = parents.is_child();
        let childs = ForkDetector::new();
        let own = !childs.is_child() && parents.is_child();
        let grandchild = in_child(&fork, || {
            let inherited = parents.is_child() && childs.is_child();
            let grandchilds = ForkDetector::new();
            let still = parents.is_child() && childs.is_child();
            inherited && still && !grandchilds.is_child()
        });
        inherited && own && grandchild && !childs.is_child()
    });
    assert!(status, "a detector was wrong in the child");
    assert!(!parents.is_child());
}

/// Whether `check` holds in a child; allocates nothing and takes no lock.
fn in_child(fork: &impl Fn() -> i32, check: impl FnOnce() -> bool) -> bool {
    let pid = fork();
    assert!(pid >= 0, "fork failed");
    if pid == 0 {
        let code = if check() { 0 } else { 1 };
        // SAFETY: ends the child at once, running nothing of the parent's.
        unsafe { libc::_exit(code) }
    }
    let mut status = -1;
    // SAFETY: the kernel writes to a local; the child is ours.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
    }
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}
