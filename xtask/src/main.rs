//! The project's development tasks: `cargo xtask` lists them.
#![forbid(unsafe_code)]

mod bench;
mod ci;
mod gates;
mod matrix;
mod platforms;
mod report;
mod run;
mod suites;

use std::process::ExitCode;

use run::Result;

/// What the usage says of a task: its name, its arguments, what it does; and the task itself.
type Task = (&'static str, &'static str, &'static str, fn(&[String]) -> Result);

/// All tasks, in the order in which the usage lists them.
const TASKS: &[Task] = &[
    ("ci", "[STEP...]", "all that CI does on Linux, or the named steps of it", ci::ci),
    ("test-matrix", "[--quick]", "the facade's tests over features x backends x executors", matrix::test_matrix),
    ("tidy", "", "what a script can check of the project's style", |_| suites::script("tidy")),
    ("bench", "[ARGS...]", "the comparison with other libraries, or with another commit: --before REV", bench::bench),
    ("gates", "[--record]", "instructions and system calls of an operation, against their ceilings", gates::gates),
    ("stress", "[ARGS...]", "random operations over every backend, for as long as it is told", suites::stress),
    ("sanitize", "", "the tests and a short stress under the address and leak sanitizers", suites::sanitize),
    ("refused", "", "the tests in which the system refuses io_uring or kernel AIO (root)", suites::refused),
    ("platforms", "[NAME...]", "the tests on other platforms, kernels and machines (Debian)", platforms::platforms),
    ("windows", "", "the same as `platforms windows`: under wine", |_| platforms::platforms(&["windows".to_owned()])),
    ("cross", "", "the same as `platforms` for what cannot run here, but is checked", platforms::cross),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let called = arguments.first().and_then(|name| TASKS.iter().find(|task| task.0 == name));
    let Some((name, takes, _, task)) = called else {
        eprintln!("Usage: cargo xtask TASK [ARGS...]\n");
        for (name, arguments, summary, _) in TASKS {
            eprintln!("  {:24}{summary}", format!("{name} {arguments}"));
        }
        return ExitCode::from(2);
    };
    let outcome = match arguments.get(1) {
        Some(argument) if takes.is_empty() => Err(format!("takes no arguments, and {argument} is one")),
        _ => task(&arguments[1..]),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the only argument, if there is one, is `flag`.
fn only_flag(arguments: &[String], flag: &str) -> Result<bool> {
    match arguments {
        [] => Ok(false),
        [one] if one == flag => Ok(true),
        _ => Err(format!("takes no arguments but {flag}")),
    }
}

/// Those of `all` that `names` name, or all of them.
fn chosen<'a, T>(all: &'a [(&str, T)], names: &[String]) -> Result<Vec<&'a (&'a str, T)>> {
    let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(format!("{unknown} is none of {}", known.join(", "))),
        None => {
            Ok(all.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|named| named == name)).collect())
        }
    }
}
