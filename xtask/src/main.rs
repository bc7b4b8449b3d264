//! The project's development tasks: `cargo xtask` lists them.
#![forbid(unsafe_code)]

mod bench;
mod ceilings;
mod ci;
mod gates;
mod matrix;
mod platforms;
mod published;
mod report;
mod run;
mod slow;
mod tidy;

use std::process::ExitCode;

use run::Result;

/// A task.
struct Task {
    /// What it is called.
    name: &'static str,
    /// Its arguments, as the usage shows them.
    arguments: &'static str,
    /// What it does, in a line.
    summary: &'static str,
    /// The task itself.
    run: fn(&[String]) -> Result,
}

/// All tasks, in the order in which the usage lists them.
const TASKS: &[Task] = &[
    Task { name: "ci", arguments: "[STEP...]", summary: "all that CI does, or the named steps of it", run: ci::ci },
    Task {
        name: "test-matrix",
        arguments: "[--quick]",
        summary: "the suites over features x backends x executors",
        run: matrix::test_matrix,
    },
    Task { name: "tidy", arguments: "", summary: "what a script can check of the project's style", run: tidy::tidy },
    Task { name: "bench", arguments: "[ARGS...]", summary: "the comparison with other libraries", run: bench::bench },
    Task {
        name: "gates",
        arguments: "[--record]",
        summary: "instructions and system calls of an operation, against their ceilings (valgrind, strace)",
        run: gates::gates,
    },
    Task {
        name: "sanitize",
        arguments: "",
        summary: "the tests under the address and leak sanitizers",
        run: slow::sanitize,
    },
    Task {
        name: "refused",
        arguments: "",
        summary: "the tests in which the system refuses io_uring or kernel AIO (root)",
        run: slow::refused,
    },
    Task {
        name: "windows",
        arguments: "[--install]",
        summary: "the thread backend's tests on Windows, under wine (Debian)",
        run: platforms::windows,
    },
    Task {
        name: "cross",
        arguments: "[--install]",
        summary: "the workspace checked for macOS and FreeBSD (Debian)",
        run: platforms::cross,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = arguments.first().and_then(|name| TASKS.iter().find(|task| task.name == name));
    let Some(task) = task else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    match (task.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {}: {error}", task.name);
            ExitCode::FAILURE
        }
    }
}

/// The list of tasks.
fn usage() -> String {
    let mut text = "Usage: cargo xtask TASK [ARGS...]\n\n".to_owned();
    for task in TASKS {
        let call = format!("{} {}", task.name, task.arguments);
        text.push_str(&format!("  {call:24}{}\n", task.summary));
    }
    text
}

/// Whether the only argument, if there is one, is `flag`.
fn only_flag(arguments: &[String], flag: &str) -> Result<bool> {
    match arguments {
        [] => Ok(false),
        [one] if one == flag => Ok(true),
        _ => Err(format!("takes no arguments but {flag}")),
    }
}

/// An error if there are arguments.
fn no_arguments(arguments: &[String]) -> Result {
    if arguments.is_empty() { Ok(()) } else { Err("takes no arguments".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_has_a_line_for_each_task() {
        let usage = usage();
        assert!(TASKS.iter().all(|task| usage.contains(&format!("\n  {}", task.name))));
    }

    #[test]
    fn a_flag_is_the_flag_or_nothing() {
        let quick = "--quick".to_owned();
        assert_eq!(only_flag(&[], "--quick"), Ok(false));
        assert_eq!(only_flag(std::slice::from_ref(&quick), "--quick"), Ok(true));
        assert!(only_flag(&[quick.clone(), quick], "--quick").is_err());
        assert!(only_flag(&["--quik".to_owned()], "--quick").is_err());
    }
}
