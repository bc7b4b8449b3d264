//! The test matrix: the facade's suites over features x backends x executors.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::only_flag;
use crate::report::{Report, Row, warnings};
use crate::run::{Echo, Finished, Result, cargo, root, run};

/// The features that are backends.
const BACKENDS: [&str; 3] = ["uring", "aio", "thread"];
/// The features that are not.
const EXTRAS: [&str; 2] = ["tracing", "bytes"];
/// The values of `CAIO_IMPL`, and the backend that each stands for.
const IMPLEMENTATIONS: [&str; 4] = ["uring", "linux", "thread", "python"];
/// The values of `CAIO_TEST_EXECUTOR`.
const EXECUTORS: [&str; 5] = ["block_on", "async-executor", "tokio-current", "tokio-multi", "smol"];

/// The longest that a build may take.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// The longest that a row may take.
const ROW_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Runs the matrix; `--quick` is the part of it that CI runs.
pub(crate) fn test_matrix(arguments: &[String]) -> Result {
    let quick = only_flag(arguments, "--quick")?;
    matrix(quick).conclude()
}

/// Runs the matrix and prints each row as it ends.
pub(crate) fn matrix(quick: bool) -> Report {
    let mut report = Report::default();
    report.push(no_backend());
    for features in feature_sets(quick) {
        let name = features.name();
        let (built, binary) = build(&features);
        report.push(built);
        let Some(binary) = binary else { continue };
        for cell in cells(&features, quick) {
            report.push(cell.run(&name, &binary));
        }
    }
    report
}

/// A set of the facade's features.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Features {
    /// Its backends.
    backends: Vec<&'static str>,
    /// What it has beside them.
    extras: Vec<&'static str>,
}

impl Features {
    /// What the table calls it.
    fn name(&self) -> String {
        if self.complete() { "all".to_owned() } else { self.to_string() }
    }

    /// Whether it has every feature.
    fn complete(&self) -> bool {
        self.backends.len() == BACKENDS.len() && self.extras.len() == EXTRAS.len()
    }
}

impl std::fmt::Display for Features {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&[self.backends.as_slice(), &self.extras].concat().join(","))
    }
}

/// The feature sets that are built: each backend alone and everything, or the whole powerset.
fn feature_sets(quick: bool) -> Vec<Features> {
    let mut sets = Vec::new();
    for backends in subsets(&BACKENDS).into_iter().filter(|backends| !backends.is_empty()) {
        for extras in subsets(&EXTRAS) {
            let features = Features { backends: backends.clone(), extras };
            let alone = features.backends.len() == 1 && features.extras.is_empty();
            if !quick || alone || features.complete() {
                sets.push(features);
            }
        }
    }
    sets
}

/// All subsets of `items`, each in the order of `items`.
fn subsets(items: &[&'static str]) -> Vec<Vec<&'static str>> {
    let chosen = |mask: usize| {
        let members = items.iter().enumerate().filter(move |(index, _)| mask >> index & 1 == 1);
        members.map(|(_, item)| *item).collect()
    };
    (0..1 << items.len()).map(chosen).collect()
}

/// One call of the test binary.
#[derive(Debug)]
struct Cell {
    /// What it shows.
    name: String,
    /// The module of tests.
    module: &'static str,
    /// The environment that chooses backend and executor.
    environment: Vec<(&'static str, &'static str)>,
}

impl Cell {
    /// A cell named by its module and environment.
    fn new(module: &'static str, environment: &[(&'static str, &'static str)]) -> Self {
        let short = |(name, value): &(&str, &str)| match *name {
            "CAIO_IMPL" => format!(" CAIO_IMPL={value}"),
            _ => format!(" {value}"),
        };
        let name = environment.iter().map(short).fold(module.to_owned(), |name, part| name + &part);
        Self { name, module, environment: environment.to_vec() }
    }

    /// Runs the cell in `binary`, which was built with `features`.
    fn run(&self, features: &str, binary: &Path) -> Row {
        let mut command = Command::new(binary);
        command.current_dir(root().join("caio")).args([&format!("{}::", self.module), "--nocapture"]);
        for name in ["CAIO_IMPL", "CAIO_DEFAULT_IMPLEMENTATION", "CAIO_TEST_BACKEND", "CAIO_TEST_EXECUTOR"] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().copied());
        let name = format!("{features}: {}", self.name);
        match run(&mut command, Echo::Quiet, ROW_LIMIT) {
            Ok(done) => announced(Row::tests(name, &done), Some(&done)),
            Err(error) => announced(Row::plain(name, Duration::ZERO, Err(error)), None),
        }
    }
}

/// The cells that `features` can run. The executors are gone through once, with every feature.
fn cells(features: &Features, quick: bool) -> Vec<Cell> {
    let mut backends = features.backends.clone();
    if backends.contains(&"thread") {
        backends.push("portable");
    }
    let forced = |backend| Cell::new("conformance", &[("CAIO_TEST_BACKEND", backend)]);
    let mut cells: Vec<Cell> = backends.iter().copied().map(forced).collect();
    if features.backends.len() > 1 {
        cells.push(Cell::new("fallback", &[]));
    }
    if !features.complete() {
        cells.push(Cell::new("executors", &[("CAIO_TEST_BACKEND", "auto")]));
        return cells;
    }
    for implementation in IMPLEMENTATIONS {
        let environment = [("CAIO_TEST_BACKEND", "auto"), ("CAIO_IMPL", implementation)];
        cells.push(Cell::new("conformance", &environment));
    }
    let under = if quick { vec!["auto"] } else { [backends.as_slice(), &["auto"]].concat() };
    for backend in under {
        for executor in EXECUTORS {
            let environment = [("CAIO_TEST_BACKEND", backend), ("CAIO_TEST_EXECUTOR", executor)];
            cells.push(Cell::new("executors", &environment));
        }
    }
    cells
}

/// The row that no backend is a compile error which names the choices.
fn no_backend() -> Row {
    let mut command = cargo();
    command.args(["check", "--package", "caio", "--no-default-features"]);
    let done = run(command.env("CARGO_TERM_COLOR", "never"), Echo::Quiet, BUILD_LIMIT);
    let name = "no backend: does not compile, and says why";
    match done {
        Ok(done) => {
            let outcome = explains_no_backend(&done);
            announced(Row::plain(name, done.elapsed, outcome), Some(&done))
        }
        Err(error) => announced(Row::plain(name, Duration::ZERO, Err(error)), None),
    }
}

/// Whether the build failed with an error that names every backend.
fn explains_no_backend(done: &Finished) -> Result {
    if done.success {
        return Err("it compiles".to_owned());
    }
    let mut errors = done.stderr.lines().filter(|line| line.starts_with("error"));
    match errors.next() {
        Some(first) if BACKENDS.iter().all(|backend| first.contains(backend)) => Ok(()),
        first => Err(format!("the first error names not every backend: {}", first.unwrap_or("none"))),
    }
}

/// Builds the facade's tests with `features`: the row for it, and the test binary.
fn build(features: &Features) -> (Row, Option<PathBuf>) {
    let mut command = cargo();
    command.args(["test", "--package", "caio", "--test", "it", "--no-default-features"]);
    command.args(["--features", &features.to_string()]);
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let name = format!("{}: builds", features.name());
    match run(command.env("CARGO_TERM_COLOR", "never"), Echo::Quiet, BUILD_LIMIT) {
        Ok(mut done) => {
            // Cargo's messages are for us, its complaints for the reader.
            let binary = executable(&std::mem::take(&mut done.stdout)).filter(|_| done.success);
            let outcome = match warnings(&done.stderr) {
                _ if binary.is_none() => Err("the tests do not build".to_owned()),
                0 => Ok(()),
                count => Err(format!("{count} targets with warnings")),
            };
            (announced(Row::plain(name, done.elapsed, outcome), Some(&done)), binary)
        }
        Err(error) => (announced(Row::plain(name, Duration::ZERO, Err(error)), None), None),
    }
}

/// The last executable that cargo's messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    let mut paths = messages.lines().filter_map(|line| {
        let (_, path) = line.split_once("\"executable\":\"")?;
        path.split_once('"').map(|(path, _)| PathBuf::from(path.replace("\\\\", "\\")))
    });
    paths.next_back()
}

/// `row`, having been printed.
fn announced(row: Row, done: Option<&Finished>) -> Row {
    row.announce(done);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that can be enabled.
    fn everything() -> Features {
        Features { backends: BACKENDS.to_vec(), extras: EXTRAS.to_vec() }
    }

    #[test]
    fn quick_takes_each_backend_alone_and_everything() {
        let names: Vec<String> = feature_sets(true).iter().map(Features::to_string).collect();
        assert_eq!(names, ["uring", "aio", "thread", "uring,aio,thread,tracing,bytes"]);
    }

    #[test]
    fn the_full_matrix_is_the_powerset() {
        let sets = feature_sets(false);
        assert_eq!(sets.len(), 7 * 4);
        let names: std::collections::BTreeSet<String> = sets.iter().map(Features::to_string).collect();
        assert_eq!(names.len(), sets.len());
        assert!(names.contains("uring,thread,bytes"));
    }

    #[test]
    fn every_choice_has_its_row() {
        let names: Vec<String> = cells(&everything(), true).into_iter().map(|cell| cell.name).collect();
        for backend in ["uring", "aio", "thread", "portable"] {
            assert!(names.contains(&format!("conformance {backend}")), "{names:?}");
        }
        for implementation in IMPLEMENTATIONS {
            assert!(names.contains(&format!("conformance auto CAIO_IMPL={implementation}")), "{names:?}");
        }
        for executor in EXECUTORS {
            assert!(names.contains(&format!("executors auto {executor}")), "{names:?}");
        }
        assert!(names.contains(&"fallback".to_owned()));
        assert_eq!(cells(&everything(), false).len() - names.len(), EXECUTORS.len() * 4);
    }

    #[test]
    fn one_backend_has_nothing_to_fall_back_to() {
        let names = |backend| {
            let features = Features { backends: vec![backend], extras: Vec::new() };
            cells(&features, true).into_iter().map(|cell| cell.name).collect::<Vec<_>>()
        };
        assert_eq!(names("aio"), ["conformance aio", "executors auto"]);
        assert_eq!(names("thread"), ["conformance thread", "conformance portable", "executors auto"]);
    }

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"caio"},"executable":null,"fresh":true}
{"reason":"compiler-artifact","target":{"name":"it"},"executable":"/t/debug/deps/it-0123","fresh":false}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/deps/it-0123")));
        assert_eq!(executable("{\"executable\":null}"), None);
    }

    #[test]
    fn the_right_error_names_the_backends() {
        let failed = |success, stderr: &str| Finished {
            success,
            timed_out: false,
            stdout: String::new(),
            stderr: stderr.to_owned(),
            elapsed: Duration::ZERO,
        };
        let right = "error: enable at least one of the features `uring`, `aio` and `thread`\n";
        assert_eq!(explains_no_backend(&failed(false, right)), Ok(()));
        assert!(explains_no_backend(&failed(true, right)).is_err());
        assert!(explains_no_backend(&failed(false, "error[E0432]: unresolved import\n")).is_err());
        assert!(explains_no_backend(&failed(false, "")).is_err());
    }
}
