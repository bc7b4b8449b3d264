//! The test matrix: the facade's tests over features x backends x executors.

use std::time::Duration;

use crate::only_flag;
use crate::report::{Report, Row, tested};
use crate::run::{Finished, Result, cargo, run};

/// The features that are backends, and their combinations.
const BACKENDS: [&str; 3] = ["uring", "aio", "thread"];
const COMBINED: [&str; 7] = ["uring", "aio", "thread", "uring,aio", "uring,thread", "aio,thread", "uring,aio,thread"];
/// The features that are not, in all combinations.
const EXTRAS: [&str; 4] = ["", ",tracing", ",bytes", ",tracing,bytes"];
/// Every feature.
const ALL: &str = "uring,aio,thread,tracing,bytes";
/// The feature sets of `--quick`; without it all combinations are built.
const QUICK: [&str; 4] = ["uring", "aio", "thread", ALL];

/// The cells: which tests, with which backend forced by the tests and by the environment, and in which builds: those with a
/// feature, with `several` backends, `each`, with `all` features, or the same but `slow`, not with `--quick`. The tests go
/// through all executors.
const CELLS: &[(&str, &str, &str, &str)] = &[
    ("conformance", "uring", "", "uring"),
    ("conformance", "aio", "", "aio"),
    ("conformance", "thread", "", "thread"),
    ("conformance", "portable", "", "thread"),
    ("conformance", "auto", "uring", "all"),
    ("conformance", "auto", "linux", "all"),
    ("conformance", "auto", "thread", "all"),
    ("conformance", "auto", "python", "all"),
    ("it fallback::", "", "", "several"),
    ("it executors::", "auto", "", "each"),
    ("it executors::", "uring", "", "slow"),
    ("it executors::", "aio", "", "slow"),
    ("it executors::", "thread", "", "slow"),
    ("it executors::", "portable", "", "slow"),
];

/// The longest that a build or a cell may take.
const CELL_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Runs the matrix; `--quick` is the part of it that CI runs.
pub(crate) fn test_matrix(arguments: &[String]) -> Result {
    matrix(only_flag(arguments, "--quick")?).conclude()
}

/// Runs the matrix and prints each row as it ends.
pub(crate) fn matrix(quick: bool) -> Report {
    let mut report = Report(vec![row("", "does not compile, and says why", "check", no_backend)]);
    for features in feature_sets(quick) {
        report.0.push(row(&features, "builds", "test --tests --no-run", without_warnings));
        for (tests, backend, forced, _) in CELLS.iter().filter(|cell| runs(cell.3, &features, quick)) {
            let (target, filter) = tests.split_once(' ').unwrap_or((tests, ""));
            let what = format!("{tests} {backend} {forced}");
            let arguments = format!("test --test {target} CAIO_TEST_BACKEND={backend} CAIO_IMPL={forced} -- {filter}");
            report.0.push(row(&features, what.trim_end(), &arguments, tested));
        }
    }
    report
}

/// The feature sets that are built.
fn feature_sets(quick: bool) -> Vec<String> {
    match quick {
        true => QUICK.map(str::to_owned).to_vec(),
        false => COMBINED.iter().flat_map(|backends| EXTRAS.map(|extras| format!("{backends}{extras}"))).collect(),
    }
}

/// Whether a cell of these `builds` runs in the one with `features`.
fn runs(builds: &str, features: &str, quick: bool) -> bool {
    match builds {
        "each" => true,
        "all" => features == ALL,
        "slow" => features == ALL && !quick,
        "several" => features.split(',').filter(|feature| BACKENDS.contains(feature)).count() > 1,
        feature => features.split(',').any(|have| have == feature),
    }
}

/// Runs cargo on the facade with `features`, and prints the row that `judge` makes of it. Words like `NAME=value` are the
/// environment; what has no value is left as the crate has it.
fn row(features: &str, what: &str, arguments: &str, judge: fn(&Finished) -> Result<String>) -> Row {
    let (environment, words): (Vec<_>, Vec<_>) = arguments.split_whitespace().partition(|word| word.contains('='));
    let (task, rest) = words.split_first().unwrap_or((&"test", &[]));
    let mut command = cargo(task);
    command.args(["--package", "caio", "--no-default-features", "--features", features]).args(rest);
    for name in ["CAIO_IMPL", "CAIO_DEFAULT_IMPLEMENTATION", "CAIO_TEST_BACKEND", "CAIO_TEST_EXECUTOR"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().filter_map(|word| word.split_once('=')).filter(|(_, value)| !value.is_empty()));
    let name = format!("{}: {what}", if features == ALL { "all" } else { features });
    Row::timed(name, || judge(&run(command.env("CARGO_TERM_COLOR", "never"), CELL_LIMIT)?))
}

/// The outcome of a build.
fn without_warnings(done: &Finished) -> Result<String> {
    let warned = done.output.lines().any(|line| line.starts_with("warning: ") && line.contains(" generated "));
    if done.success && !warned { Ok(String::new()) } else { Err("fails, or warns".to_owned()) }
}

/// The outcome of the build without a backend: a compile error which names the choices.
fn no_backend(done: &Finished) -> Result<String> {
    let first = done.output.lines().find(|line| line.starts_with("error")).unwrap_or("none");
    let explained = !done.success && BACKENDS.iter().all(|backend| first.contains(backend));
    if explained { Ok(String::new()) } else { Err(format!("its first error: {first}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_build_runs_the_cells_that_it_can() {
        let sets: std::collections::BTreeSet<_> = feature_sets(false).into_iter().collect();
        assert!(sets.len() == 7 * 4 && QUICK.iter().all(|set| sets.contains(*set)));
        let count = |features, quick| CELLS.iter().filter(|cell| runs(cell.3, features, quick)).count();
        assert_eq!((count("aio", true), count("thread", true), count("aio,thread", false)), (2, 3, 5));
        assert_eq!((count(ALL, true), count(ALL, false)), (10, 14));
    }
}
