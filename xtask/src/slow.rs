//! Suites that take longer, or more of the machine, than CI has on each change.

use std::fs;
use std::process::Command;

use crate::no_arguments;
use crate::report::{Report, Row};
use crate::run::{Echo, LIMIT, Result, cargo, root, run, rustflags, target_dir};

/// The target that the sanitizers are built for; naming it keeps them out of build scripts.
const SANITIZED_TARGET: &str = "x86_64-unknown-linux-gnu";
/// The crates with unsafe code, and the facade, whose suites drive all of it.
const SANITIZED: [&str; 6] = ["caio-sys", "caio-core", "caio-thread", "caio-uring", "caio-aio", "caio"];
/// The settings of the whole system that the refusal tests change.
const SETTINGS: [&str; 2] = ["/proc/sys/kernel/io_uring_disabled", "/proc/sys/fs/aio-max-nr"];

/// Runs the tests of the crates with unsafe code under the address and leak sanitizers.
pub(crate) fn sanitize(arguments: &[String]) -> Result {
    no_arguments(arguments)?;
    let mut report = Report::default();
    for package in SANITIZED {
        let mut command = cargo();
        command.args(["test", "--target", SANITIZED_TARGET, "--package", package]);
        command.args(["--all-features", "--lib", "--tests"]);
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", rustflags("-Zsanitizer=address"));
        command.env("ASAN_OPTIONS", "detect_leaks=1");
        // What a test forgets on purpose is no leak: such tests say `forget` in their name.
        let suppressions = root().join("xtask/lsan.supp");
        command.env("LSAN_OPTIONS", format!("print_suppressions=0:suppressions={}", suppressions.display()));
        command.env("CARGO_TARGET_DIR", target_dir().join("sanitize"));
        let done = run(&mut command, Echo::Live, LIMIT)?;
        report.push(Row::tests(package, &done));
    }
    report.conclude()
}

/// Runs the tests that make the system refuse io_uring or kernel AIO. They change settings of the whole
/// system, so they run as root, one at a time, and are ignored otherwise.
pub(crate) fn refused(arguments: &[String]) -> Result {
    no_arguments(arguments)?;
    if !is_root() {
        return Err("needs root, to change kernel.io_uring_disabled and fs.aio-max-nr".to_owned());
    }
    let _restore: Vec<Setting> = SETTINGS.into_iter().filter_map(Setting::keep).collect();
    // The tests look at what the example prints under each refusal.
    let mut doctor = cargo();
    doctor.args(["build", "--package", "caio", "--example", "doctor"]);
    run(&mut doctor, Echo::Live, LIMIT)?;
    let mut command = cargo();
    command.args(["test", "--package", "caio", "--test", "it", "--", "refused"]);
    command.args(["--ignored", "--test-threads=1", "--nocapture"]);
    let done = run(&mut command, Echo::Live, LIMIT)?;
    let mut report = Report::default();
    report.push(Row::tests("refused", &done));
    report.conclude()
}

/// Whether this process may do anything.
pub(crate) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// A setting of the system that is put back if a test that died has left it changed.
struct Setting {
    /// Its file.
    path: &'static str,
    /// What it was.
    value: String,
}

impl Setting {
    /// The setting at `path`, if this kernel has it.
    fn keep(path: &'static str) -> Option<Self> {
        fs::read_to_string(path).ok().map(|value| Self { path, value })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if fs::read_to_string(self.path).is_ok_and(|value| value == self.value) {
            return;
        }
        eprintln!("{} was left changed; putting back {}", self.path, self.value.trim());
        if let Err(error) = fs::write(self.path, &self.value) {
            eprintln!("{}: {error}", self.path);
        }
    }
}
