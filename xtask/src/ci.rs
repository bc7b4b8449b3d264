//! All that CI does on Linux, step by step.

use std::process::Command;

use crate::report::{Report, Row, tested};
use crate::run::{LIMIT, Result, call, cargo, program, run, rustflags, target_dir};
use crate::suites::script;
use crate::{chosen, gates, matrix};

/// The oldest Rust that builds the libraries, as the root manifest states it.
const MSRV: &str = env!("CARGO_PKG_RUST_VERSION");
/// What clippy finds unfinished code by, beside the lints of the manifests.
const UNFINISHED: &str = "-W clippy::todo -W clippy::unimplemented -W clippy::dbg_macro";

/// What `cargo xtask ci NAME` calls a step, and the step itself.
type Step = (&'static str, fn() -> Result<String>);

/// All steps, cheap ones first.
const STEPS: &[Step] = &[
    ("tidy", || holds(script("tidy"))),
    ("fmt", || holds(call(&mut cargo("fmt --all --check")))),
    ("clippy", || {
        let mut command = cargo("clippy --workspace --all-targets --all-features -- -D warnings");
        holds(call(command.args(UNFINISHED.split(' '))))
    }),
    ("doc", || {
        let mut command = cargo("doc --workspace --exclude xtask --all-features --no-deps");
        holds(call(command.env("RUSTDOCFLAGS", "-D warnings")))
    }),
    ("test", || {
        let mut command = cargo("test --workspace --all-features --no-fail-fast -- --show-output");
        tested(&run(&mut command, LIMIT)?)
    }),
    ("matrix", || matrix::matrix(true).sum_up()),
    ("loom", || {
        let mut command = cargo("test --release --package caio-core --test loom");
        command.env("RUSTFLAGS", rustflags("--cfg loom")).env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        tested(&run(command.env("CARGO_TARGET_DIR", target_dir().join("loom")), LIMIT)?)
    }),
    ("gates", || gates::compare()?.sum_up()),
    ("minimal-versions", || holds(script("minimal-versions"))),
    ("msrv", || holds(msrv())),
    ("package", || holds(script("package"))),
];

/// Runs the steps named by `arguments`, or all of them.
pub(crate) fn ci(arguments: &[String]) -> Result {
    let mut report = Report::default();
    for (name, step) in chosen(STEPS, arguments)? {
        println!("\n== {name} ==");
        report.0.push(Row::timed(*name, step));
    }
    report.conclude()
}

/// The libraries built by the oldest compiler, where it is installed; clippy's lint stands in elsewhere.
fn msrv() -> Result {
    let toolchain = Command::new("rustup").args(["run", MSRV, "rustc", "--version"]).output();
    if !toolchain.is_ok_and(|output| output.status.success()) {
        return Err(format!("SKIP: Rust {MSRV} is not installed; clippy::incompatible_msrv has looked"));
    }
    let mut command = program("rustup");
    command.args(["run", MSRV, "cargo", "check", "--workspace", "--all-features"]);
    call(command.env("CARGO_TARGET_DIR", target_dir().join("msrv")))
}

/// The outcome of a step that has nothing to tell if it holds.
fn holds(outcome: Result) -> Result<String> {
    outcome.map(|()| String::new())
}
