//! All that CI does, step by step.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::report::{Report, Row, Verdict};
use crate::run::{Echo, LIMIT, Result, call, cargo, root, run, rustflags, target_dir};
use crate::{gates, matrix, published, tidy};

/// The minimum Rust version, as the root manifest states it.
const MSRV: &str = "1.85";

/// A step of CI.
struct Step {
    /// What `cargo xtask ci NAME` calls it.
    name: &'static str,
    /// The step itself.
    run: fn(&'static str) -> Row,
}

/// All steps, cheap ones first.
const STEPS: &[Step] = &[
    Step { name: "tidy", run: |name| timed(name, tidy::check) },
    Step { name: "fmt", run: |name| timed(name, || call(cargo().args(["fmt", "--all", "--check"]))) },
    Step { name: "clippy", run: |name| timed(name, clippy) },
    Step { name: "doc", run: |name| timed(name, doc) },
    Step { name: "test", run: test },
    Step { name: "matrix", run: quick_matrix },
    Step { name: "loom", run: loom },
    Step { name: "gates", run: gates::step },
    Step { name: "minimal-versions", run: |name| timed(name, published::minimal_versions) },
    Step { name: "msrv", run: msrv },
    Step { name: "package", run: |name| timed(name, published::packages) },
];

/// Runs the steps named by `arguments`, or all of them.
pub(crate) fn ci(arguments: &[String]) -> Result {
    if let Some(unknown) = arguments.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("no step {unknown}; there are {}", names.join(", ")));
    }
    let mut report = Report::default();
    for step in STEPS {
        if arguments.is_empty() || arguments.iter().any(|name| name == step.name) {
            println!("\n== {} ==", step.name);
            let row = (step.run)(step.name);
            row.announce(None);
            report.push(row);
        }
    }
    report.conclude()
}

/// The lints on everything there is to compile.
fn clippy() -> Result {
    let everything = ["--workspace", "--all-targets", "--all-features"];
    call(cargo().arg("clippy").args(everything).args(["--", "-D", "warnings"]))
}

/// The documentation.
fn doc() -> Result {
    let what = ["--workspace", "--exclude", "xtask", "--all-features", "--no-deps"];
    call(cargo().arg("doc").args(what).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every crate's tests, doctests among them.
fn test(name: &'static str) -> Row {
    tests(name, cargo().args(["test", "--workspace", "--all-features", "--no-fail-fast"]))
}

/// The quick test matrix.
fn quick_matrix(name: &'static str) -> Row {
    let started = Instant::now();
    let report = matrix::matrix(true);
    let verdict = match report.count(Verdict::Fail) {
        0 => Verdict::Pass,
        _ => Verdict::Fail,
    };
    let tests = report.total_tests();
    Row { name: name.to_owned(), verdict, tests, elapsed: started.elapsed(), note: report.closing_line() }
}

/// The model of the in-flight table's concurrency.
fn loom(name: &'static str) -> Row {
    let mut command = cargo();
    command.args(["test", "--release", "--package", "caio-core", "--test", "loom"]);
    command.env("RUSTFLAGS", rustflags("--cfg loom")).env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    tests(name, command.env("CARGO_TARGET_DIR", target_dir().join("loom")))
}

/// The libraries built by the oldest compiler, where it is installed; clippy's lint stands in elsewhere.
fn msrv(name: &'static str) -> Row {
    let toolchain = Command::new("rustup").args(["run", MSRV, "rustc", "--version"]).output();
    if !toolchain.is_ok_and(|output| output.status.success()) {
        let note = format!("Rust {MSRV} is not installed; clippy::incompatible_msrv has looked");
        return Row { name: name.to_owned(), verdict: Verdict::Skip, tests: 0, elapsed: Duration::ZERO, note };
    }
    timed(name, || {
        let mut command = Command::new("rustup");
        command.current_dir(root()).args(["run", MSRV, "cargo", "check", "--workspace", "--all-features"]);
        call(command.env("CARGO_TARGET_DIR", target_dir().join("msrv")))
    })
}

/// A step that is one or more programs, each of which must succeed.
fn timed(name: &'static str, step: impl FnOnce() -> Result) -> Row {
    let started = Instant::now();
    let outcome = step();
    Row::plain(name, started.elapsed(), outcome)
}

/// A step that is a run of tests.
fn tests(name: &'static str, command: &mut Command) -> Row {
    match run(command, Echo::Live, LIMIT) {
        Ok(done) => Row::tests(name, &done),
        Err(error) => Row::plain(name, Duration::ZERO, Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_step_is_refused_before_anything_runs() {
        let error = ci(&["fmt".to_owned(), "clipy".to_owned()]).err().unwrap();
        assert!(error.starts_with("no step clipy; there are tidy, fmt, "), "{error}");
    }

    #[test]
    fn the_minimum_version_is_the_manifests() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("rust-version = \"{MSRV}\"")));
    }
}
