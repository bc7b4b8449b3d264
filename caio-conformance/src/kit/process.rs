//! Processes of a test's own.

use super::until;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

/// Set in a process that was started for a test, with the test's name.
const MARK: &str = "CAIO_TEST_ALONE";
/// The user without rights.
const NOBODY: u32 = 65534;

/// Runs the body of a test in a process of its own, where it may count and change what all threads share.
///
/// The test calls this with its own full name and nothing else; the test program is then started again for that test.
///
/// # Panics
/// If the body panics there.
pub fn alone(test: &str, body: impl FnOnce()) {
    start(test, body, |_| {});
}

/// As [`alone`], as a user without rights: for limits that do not bind root. Only root can become another user; else
/// the test is skipped.
///
/// # Panics
/// If the body panics there.
pub fn as_nobody(test: &str, body: impl FnOnce()) {
    // SAFETY: asks for a number.
    if std::env::var_os(MARK).is_none() && unsafe { libc::geteuid() } != 0 {
        return println!("SKIP: only root can become another user");
    }
    start(test, body, become_nobody);
}

/// Has a program run as a user without rights.
pub(crate) fn become_nobody(command: &mut Command) {
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
}

/// Whether this process was started for a test.
pub(crate) fn is_started_for(test: &str) -> bool {
    std::env::var_os(MARK).is_some_and(|name| name == test)
}

/// This test program again, for one test.
pub(crate) fn again(test: &str) -> Command {
    // By this name, because the folder that it is in may not be open to others.
    let mut command = Command::new("/proc/self/exe");
    command.args([test, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"]).env(MARK, test);
    command
}

/// Starts the test program again, or is what was started.
fn start(test: &str, body: impl FnOnce(), prepare: impl FnOnce(&mut Command)) {
    if is_started_for(test) {
        return body();
    }
    let mut command = again(test);
    prepare(&mut command);
    let output = match command.output() {
        Ok(output) => output,
        // So it is under an emulator of another machine.
        Err(error) => return println!("SKIP: the test program cannot start itself: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    let is_run = text.contains("1 passed") && output.status.success();
    assert!(is_run, "{test}: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Runs code in a forked child, which must end by itself and in time, and say that all is well.
///
/// # Panics
/// If it does not end, or says that something is not.
pub fn in_child(code: impl FnOnce() -> bool) {
    // SAFETY: the child runs only this code, whose allocations glibc and musl make safe after a fork, and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        // A panic must not get into what is the parent's.
        let well = catch_unwind(AssertUnwindSafe(code)).unwrap_or(false);
        // SAFETY: ends the child, without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!well)) }
    }
    let ended = Child(child);
    let mut status = 0;
    until("the child ends", || {
        // SAFETY: `status` is a place for the number that is written.
        unsafe { libc::waitpid(ended.0, &mut status, libc::WNOHANG) == ended.0 }
    });
    std::mem::forget(ended);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child's status is {status:#x}");
}

/// A child that is killed where it does not end.
struct Child(libc::pid_t);

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: a signal to a child that nobody has waited for, so that its number is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(self.0, std::ptr::null_mut(), 0) };
    }
}
