//! What became of the rows of a run: verdicts, a table of them, and the closing line.

use std::time::Duration;

use crate::run::{Finished, Result};

/// Lines of a failed row's output that are shown.
const TAIL_LINES: usize = 60;

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It ran and holds.
    Pass,
    /// It cannot run here.
    Skip,
    /// It ran and does not hold, or ran nothing.
    Fail,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    /// What ran.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// Tests that ran in it.
    pub(crate) tests: usize,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// The reason of a skip or a failure.
    pub(crate) note: String,
}

impl Row {
    /// A row that ran no tests of its own and passes unless `outcome` is an error.
    pub(crate) fn plain(name: impl Into<String>, elapsed: Duration, outcome: Result) -> Self {
        let (verdict, note) = match outcome {
            Ok(()) => (Verdict::Pass, String::new()),
            Err(error) => (Verdict::Fail, error),
        };
        Self { name: name.into(), verdict, tests: 0, elapsed, note }
    }

    /// A row of tests, judged by what the test binaries printed.
    pub(crate) fn tests(name: impl Into<String>, done: &Finished) -> Self {
        let counts = Counts::of(&done.stdout);
        let skips = skip_reasons(&done.stdout, &done.stderr);
        let (verdict, note) = if done.timed_out {
            (Verdict::Fail, "timed out".to_owned())
        } else if !done.success {
            (Verdict::Fail, counts.complaint())
        } else if let (Some(reason), true) = (skips.first(), skips.len() >= counts.passed) {
            (Verdict::Skip, reason.clone())
        } else if counts.passed == 0 {
            (Verdict::Fail, "no test ran".to_owned())
        } else {
            (Verdict::Pass, suite(&done.stdout).unwrap_or_else(|| partly(&skips)))
        };
        Self { name: name.into(), verdict, tests: counts.passed + counts.failed, elapsed: done.elapsed, note }
    }

    /// Prints the row as it ends, and the end of its output if it failed.
    pub(crate) fn announce(&self, done: Option<&Finished>) {
        let seconds = self.elapsed.as_secs_f64();
        let line = format!("{} {} ({seconds:.1} s) {}", self.verdict.word(), self.name, self.note);
        println!("{}", line.trim_end());
        if let (Verdict::Fail, Some(done)) = (self.verdict, done) {
            for text in [&done.stdout, &done.stderr] {
                println!("{}", tail(text, TAIL_LINES));
            }
        }
    }
}

impl Verdict {
    /// The verdict as the table shows it.
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Skip => "SKIP",
            Self::Fail => "FAIL",
        }
    }
}

/// All rows of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The rows, in the order in which they ran.
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// How many rows ended as `verdict`.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// Tests that ran in all rows.
    pub(crate) fn total_tests(&self) -> usize {
        self.rows.iter().map(|row| row.tests).sum()
    }

    /// All rows as one: it fails if one of them does, and is skipped if all of them are.
    pub(crate) fn sum_up(&self, name: &str, elapsed: Duration) -> Row {
        let skipped = self.count(Verdict::Skip);
        let (verdict, note) = match self.rows.first() {
            Some(first) if skipped == self.rows.len() => (Verdict::Skip, first.note.clone()),
            _ if self.count(Verdict::Fail) == 0 => (Verdict::Pass, self.closing_line()),
            _ => (Verdict::Fail, self.closing_line()),
        };
        Row { name: name.to_owned(), verdict, tests: self.total_tests(), elapsed, note }
    }

    /// Prints the table and the closing line; an error if a row failed.
    pub(crate) fn conclude(&self) -> Result {
        print!("\n{}\n{}\n", self.table(), self.closing_line());
        match self.count(Verdict::Fail) {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} failed", self.rows.len())),
        }
    }

    /// The closing line.
    pub(crate) fn closing_line(&self) -> String {
        let [passed, failed, skipped] =
            [Verdict::Pass, Verdict::Fail, Verdict::Skip].map(|verdict| self.count(verdict));
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }

    /// The rows under each other.
    fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for row in &self.rows {
            let tests = if row.tests == 0 { String::new() } else { format!("{} tests", row.tests) };
            let seconds = format!("{:.1} s", row.elapsed.as_secs_f64());
            let line = format!("{}  {:width$}  {tests:>10}  {seconds:>8}  {}", row.verdict.word(), row.name, row.note);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// What the summaries of one or more test binaries say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Tests that passed.
    passed: usize,
    /// Tests that failed.
    failed: usize,
}

impl Counts {
    /// The sum of all `test result:` lines.
    fn of(stdout: &str) -> Self {
        let mut sum = Self::default();
        let summaries = stdout.lines().filter_map(|line| line.strip_prefix("test result: "));
        for part in summaries.flat_map(|summary| summary.split(['.', ';'])) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<usize>), words.next()) else {
                continue;
            };
            match what {
                "passed" => sum.passed += count,
                "failed" => sum.failed += count,
                _ => {}
            }
        }
        sum
    }

    /// What is wrong if the program failed.
    fn complaint(&self) -> String {
        match self.failed {
            0 => "it does not build, or died".to_owned(),
            failed => format!("{failed} failed"),
        }
    }
}

/// The reasons of the tests that printed `SKIP: reason`.
fn skip_reasons(stdout: &str, stderr: &str) -> Vec<String> {
    let lines = stdout.lines().chain(stderr.lines());
    lines.filter_map(|line| line.split_once("SKIP: ")).map(|(_, reason)| reason.trim().to_owned()).collect()
}

/// What the conformance suite, which is one test of many behaviours, says of them: `uring: 80 passed, ...`.
fn suite(stdout: &str) -> Option<String> {
    stdout.lines().find_map(|line| line.split_once("conformance of ")).map(|(_, summary)| summary.to_owned())
}

/// How many targets cargo counted warnings in.
pub(crate) fn warnings(stderr: &str) -> usize {
    let counted = |line: &&str| line.starts_with("warning: ") && line.contains(" generated ");
    stderr.lines().filter(counted).count()
}

/// What to say of a row of which only some tests were skipped.
fn partly(skips: &[String]) -> String {
    match skips {
        [] => String::new(),
        [first, ..] => format!("{} skipped: {first}", skips.len()),
    }
}

/// The last `count` lines of `text`.
fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that printed `stdout` and `stderr`.
    fn done(success: bool, stdout: &str, stderr: &str) -> Finished {
        Finished {
            success,
            timed_out: false,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            elapsed: Duration::from_secs(1),
        }
    }

    const THREE: &str =
        "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s\n";
    const NONE: &str =
        "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s\n";

    #[test]
    fn summaries_are_added_up() {
        let failed = "noise\ntest result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(Counts::of(&format!("{THREE}{failed}")), Counts { passed: 5, failed: 5 });
        assert_eq!(Counts::of("3 passed; nothing"), Counts::default());
    }

    #[test]
    fn a_row_that_ran_nothing_fails() {
        let row = Row::tests("x", &done(true, NONE, ""));
        assert_eq!((row.verdict, row.note.as_str()), (Verdict::Fail, "no test ran"));
    }

    #[test]
    fn a_row_whose_tests_all_skip_is_skipped_with_the_reason() {
        let skips = "SKIP: no io_uring (EPERM)\n".repeat(3);
        let row = Row::tests("x", &done(true, THREE, &skips));
        assert_eq!((row.verdict, row.note.as_str()), (Verdict::Skip, "no io_uring (EPERM)"));
        let row = Row::tests("x", &done(true, NONE, "SKIP: not here\n"));
        assert_eq!(row.verdict, Verdict::Skip);
    }

    #[test]
    fn a_row_of_which_some_tests_skip_passes_and_says_so() {
        let row = Row::tests("x", &done(true, THREE, "SKIP: tmpfs has no O_DIRECT\n"));
        assert_eq!((row.verdict, row.tests), (Verdict::Pass, 3));
        assert_eq!(row.note, "1 skipped: tmpfs has no O_DIRECT");
    }

    #[test]
    fn the_conformance_suite_speaks_for_its_behaviours() {
        let suite = "conformance of aio: 80 passed, 1 skipped, 0 failed\n  SKIP direct: tmpfs\n";
        let row = Row::tests("x", &done(true, &format!("test a::b ... {suite}ok\n{THREE}"), ""));
        assert_eq!(row.verdict, Verdict::Pass);
        assert_eq!(row.note, "aio: 80 passed, 1 skipped, 0 failed");
    }

    #[test]
    fn warnings_are_counted_by_crate() {
        let stderr = "warning: unused import: `x`\nwarning: `caio` (lib) generated 1 warning\n   Compiling y\n";
        assert_eq!(warnings(stderr), 1);
    }

    #[test]
    fn a_failure_is_never_a_skip() {
        let row = Row::tests("x", &done(false, THREE, "SKIP: not here\n"));
        assert_eq!((row.verdict, row.note.as_str()), (Verdict::Fail, "it does not build, or died"));
    }

    #[test]
    fn the_closing_line_counts_rows() {
        let mut report = Report::default();
        report.push(Row::tests("a", &done(true, THREE, "")));
        report.push(Row::plain("long name", Duration::ZERO, Err("why".to_owned())));
        assert_eq!(report.closing_line(), "1 passed, 1 failed, 0 skipped");
        assert_eq!(report.total_tests(), 3);
        assert_eq!(
            report.table(),
            "PASS  a             3 tests     1.0 s\nFAIL  long name                 0.0 s  why\n"
        );
        assert!(report.conclude().is_err());
    }

    #[test]
    fn a_sum_is_skipped_only_if_everything_is() {
        let mut report = Report::default();
        report.push(Row::tests("a", &done(true, NONE, "SKIP: not here\n")));
        assert_eq!(report.sum_up("x", Duration::ZERO).verdict, Verdict::Skip);
        assert_eq!(report.sum_up("x", Duration::ZERO).note, "not here");
        report.push(Row::tests("b", &done(true, THREE, "")));
        assert_eq!(report.sum_up("x", Duration::ZERO).verdict, Verdict::Pass);
        report.push(Row::plain("c", Duration::ZERO, Err("why".to_owned())));
        let row = report.sum_up("x", Duration::ZERO);
        assert_eq!((row.verdict, row.note.as_str()), (Verdict::Fail, "1 passed, 1 failed, 1 skipped"));
    }

    #[test]
    fn a_tail_is_the_end() {
        assert_eq!(tail("1\n2\n3\n", 2), "2\n3");
        assert_eq!(tail("1\n", 2), "1");
    }
}
