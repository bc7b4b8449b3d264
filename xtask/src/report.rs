//! What became of a run: the tests that test binaries tell of, rows with verdicts, the table and the closing line.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::run::{Finished, Result};

/// What test binaries told of their tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tests {
    /// Tests that passed, those that skipped themselves not counted.
    pub(crate) passed: usize,
    /// The names of those that failed.
    pub(crate) failed: Vec<String>,
    /// Why tests skipped themselves, and how many for that reason.
    pub(crate) skipped: BTreeMap<String, usize>,
}

impl Tests {
    /// What `output` tells by sections, each the output of one binary: after a line `== NAME`, or cargo's `Running NAME`.
    pub(crate) fn by_section(output: &str) -> Vec<(String, Self)> {
        let mut sections = vec![("", Vec::new())];
        for line in output.lines() {
            match (section_name(line), sections.last_mut()) {
                (None, Some((_, lines))) => lines.push(line),
                (name, _) => sections.push((name.unwrap_or_default(), Vec::new())),
            }
        }
        sections.into_iter().map(|(name, lines)| (name.to_owned(), Self::of_binary(&lines))).collect()
    }

    /// What one binary told. Tests may run the binary again: its own summary and list of failures come last.
    fn of_binary(lines: &[&str]) -> Self {
        let mut tests = Self::default();
        let (mut ignored, mut last_test) = (0, "no test");
        let mut lines = lines.iter().peekable();
        while let Some(line) = lines.next() {
            if let Some(reason) = skip_reason(line) {
                *tests.skipped.entry(reason.to_owned()).or_default() += 1;
            } else if let Some(summary) = line.strip_prefix("test result: ") {
                (tests.passed, ignored) = (count(summary, "passed"), count(summary, "ignored"));
                tests.failed.truncate(count(summary, "failed"));
            } else if *line == "failures:" {
                let names = std::iter::from_fn(|| lines.next_if(|line| line.starts_with("    ")));
                tests.failed = names.map(|name| name.trim().to_owned()).collect();
            } else if let Some(code) = line.strip_prefix("== exit ").filter(|_| tests.failed.is_empty()) {
                tests.failed.push(format!("died with {code} in {last_test}"));
            } else if let Some(test) = line.strip_prefix("test ") {
                last_test = test.split_once(" ... ").map_or(test, |(name, _)| name);
            }
        }
        // libtest counts a test that skips itself as passed, libtest-mimic as ignored.
        tests.passed = tests.passed.saturating_sub(tests.skips().saturating_sub(ignored));
        tests
    }

    /// Adds what another binary told.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        other.skipped.into_iter().for_each(|(reason, times)| *self.skipped.entry(reason).or_default() += times);
    }

    /// How many skipped themselves.
    pub(crate) fn skips(&self) -> usize {
        self.skipped.values().sum()
    }

    /// How many ran, in words, with the most frequent reason of a skip, and what failed.
    fn summary(&self) -> String {
        let reason = self.skipped.iter().max_by_key(|(_, times)| **times);
        let skipped = reason.map(|(reason, _)| format!(", {} skipped: {reason}", self.skips())).unwrap_or_default();
        let (failed, names) = (self.failed.len(), self.failed.join(", "));
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed: {names}") };
        format!("{} passed{skipped}{failed}", self.passed)
    }
}

/// The name in a line that starts a section.
fn section_name(line: &str) -> Option<&str> {
    let own = line.strip_prefix("== ").filter(|name| !name.starts_with("exit "));
    own.or_else(|| ["     Running", "   Doc-tests"].iter().find_map(|head| Some(line.split_once(head)?.1.trim())))
}

/// Why a test skipped itself: what it printed, or what libtest-mimic prints for it.
fn skip_reason(line: &str) -> Option<&str> {
    let printed = line.split_once("SKIP: ").map(|(_, reason)| reason.trim());
    printed.or_else(|| line.split_once(" ... ignored (")?.1.strip_suffix(')'))
}

/// The number before `what` in a summary.
fn count(summary: &str, what: &str) -> usize {
    let number = summary.split(['.', ';']).find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok());
    number.unwrap_or(0)
}

/// What a run of tests comes to, as a row's outcome.
pub(crate) fn tested(done: &Finished) -> Result<String> {
    let mut tests = Tests::default();
    Tests::by_section(&done.output).into_iter().for_each(|(_, binary)| tests.add(binary));
    match (done.success, tests.passed, tests.skips()) {
        (false, ..) if tests.failed.is_empty() => Err("it does not build, or died".to_owned()),
        (false, ..) => Err(tests.summary()),
        (true, 0, 0) => Err("no test ran".to_owned()),
        (true, 0, _) => Err(format!("SKIP: {}", tests.summary())),
        (true, ..) => Ok(tests.summary()),
    }
}

/// One row: what ran, how long it took, and what came of it. An error that starts with `SKIP: ` says why it cannot run here.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    elapsed: Duration,
    outcome: Result<String>,
}

impl Row {
    /// Runs what has a row, and prints the row.
    pub(crate) fn timed(name: impl Into<String>, work: impl FnOnce() -> Result<String>) -> Self {
        let started = Instant::now();
        let outcome = work();
        let row = Self { name: name.into(), elapsed: started.elapsed(), outcome };
        println!("{}", row.line(0));
        row
    }

    /// How it ended, and the number of tests or the reason.
    fn verdict(&self) -> (&'static str, &str) {
        match &self.outcome {
            Ok(note) => ("PASS", note),
            Err(error) => error.strip_prefix("SKIP: ").map_or(("FAIL", error), |reason| ("SKIP", reason)),
        }
    }

    /// The row as the table shows it.
    fn line(&self, width: usize) -> String {
        let (verdict, note) = self.verdict();
        let line = format!("{verdict}  {:width$}  {:>7.1} s  {note}", self.name, self.elapsed.as_secs_f64());
        line.trim_end().to_owned()
    }
}

/// All rows of a run, in the order in which they ran.
#[derive(Debug, Default)]
pub(crate) struct Report(pub(crate) Vec<Row>);

impl Report {
    /// The rows that ended so.
    fn ended(&self, verdict: &'static str) -> impl Iterator<Item = &Row> {
        self.0.iter().filter(move |row| row.verdict().0 == verdict)
    }

    /// The closing line.
    fn closing_line(&self) -> String {
        let [passed, failed, skipped] = ["PASS", "FAIL", "SKIP"].map(|verdict| self.ended(verdict).count());
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }

    /// The outcome of all rows as one: it fails if one of them does, and is skipped if all of them are.
    pub(crate) fn sum_up(&self) -> Result<String> {
        let like = |verdict| self.ended(verdict).next().map(|row| format!("{}: {}", row.name, row.verdict().1));
        match (like("FAIL"), like("PASS"), like("SKIP")) {
            (Some(failed), ..) => Err(format!("{}: {failed}", self.closing_line())),
            (None, None, Some(skipped)) => Err(format!("SKIP: {}: {skipped}", self.closing_line())),
            _ => Ok(self.closing_line()),
        }
    }

    /// Prints the table and the closing line; an error if a row failed.
    pub(crate) fn conclude(&self) -> Result {
        let width = self.0.iter().map(|row| row.name.len()).max().unwrap_or(0);
        println!();
        self.0.iter().for_each(|row| println!("{}", row.line(width)));
        println!("{}", self.closing_line());
        match self.ended("FAIL").count() {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} failed", self.0.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(success: bool, output: &str) -> Result<String> {
        tested(&Finished { success, output: output.to_owned() })
    }

    fn result(passed: usize, failed: usize, ignored: usize) -> String {
        format!("test result: ok. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 7 filtered out\n")
    }

    #[test]
    fn a_binary_that_a_test_started_is_not_counted() {
        let inner = format!("failures:\n    x\n\n{}", result(1, 1, 0));
        let output = format!("== a\n{inner}{}== b\n{}", result(3, 0, 0), result(2, 0, 0));
        assert!(Tests::by_section(&output).iter().all(|(_, tests)| tests.failed.is_empty()));
        let passed: Vec<_> = Tests::by_section(&output).into_iter().map(|(name, tests)| (name, tests.passed)).collect();
        assert_eq!(passed, [(String::new(), 0), ("a".to_owned(), 3), ("b".to_owned(), 2)]);
        let cargo = format!("     Running a\n{}   Doc-tests b\n{}", result(1, 0, 0), result(4, 0, 0));
        assert_eq!(outcome(true, &cargo).as_deref(), Ok("5 passed"));
    }

    #[test]
    fn skips_are_no_passes_however_the_harness_counts_them() {
        let as_passed = format!("SKIP: no io_uring here\n{}", result(3, 0, 0));
        let as_ignored = format!("test a ... ignored (no io_uring here)\n{}", result(2, 0, 1));
        for told in [as_passed, as_ignored] {
            assert_eq!(outcome(true, &told).as_deref(), Ok("2 passed, 1 skipped: no io_uring here"));
        }
        let all = outcome(true, &format!("SKIP: x\n{}", result(1, 0, 0)));
        assert_eq!(all.unwrap_err(), "SKIP: 0 passed, 1 skipped: x");
        assert_eq!(outcome(true, &result(0, 0, 0)).unwrap_err(), "no test ran");
    }

    #[test]
    fn failures_are_named() {
        let output = format!("failures:\n\n---- a::b ----\nnoise\n\nfailures:\n    a::b\n    c\n\n{}", result(2, 2, 0));
        assert_eq!(outcome(false, &output).unwrap_err(), "2 passed, 2 failed: a::b, c");
        let died = outcome(false, "test a ... ok\ntest b ... \n== exit 139\n");
        assert_eq!(died.unwrap_err(), "0 passed, 1 failed: died with 139 in b");
        assert_eq!(outcome(false, "error: x\n").unwrap_err(), "it does not build, or died");
    }

    #[test]
    fn a_sum_is_skipped_only_if_everything_is() {
        let row = |outcome| Row::timed("x", || outcome);
        let mut report = Report(vec![row(Err("SKIP: y".to_owned()))]);
        assert_eq!(report.sum_up().unwrap_err(), "SKIP: 0 passed, 0 failed, 1 skipped: x: y");
        report.0.push(row(Ok(String::new())));
        assert_eq!(report.sum_up().unwrap(), "1 passed, 0 failed, 1 skipped");
        report.0.push(row(Err("z".to_owned())));
        assert_eq!(report.sum_up().unwrap_err(), "1 passed, 1 failed, 1 skipped: x: z");
        assert!(report.conclude().is_err());
    }
}
