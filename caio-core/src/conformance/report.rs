//! What became of the cases.

use std::any::Any;
use std::fmt;

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The behaviour is there.
    Passed,
    /// It could not be tried here, for this reason.
    Skipped(String),
    /// It is not there.
    Failed(String),
}

/// The reason for which a case gives up, as the payload of its unwinding.
#[derive(Debug)]
pub(super) struct Skip(pub(super) String);

impl Verdict {
    /// What the payload of a panic says.
    pub(super) fn of_panic(payload: Box<dyn Any + Send>) -> Self {
        let payload = match payload.downcast::<Skip>() {
            Ok(skip) => return Self::Skipped(skip.0),
            Err(payload) => payload,
        };
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Self::Failed(text.unwrap_or_else(|| "it panicked".to_owned()))
    }
}

/// What became of all cases.
#[derive(Clone, Debug)]
#[must_use = "a report of failures fails nothing until it is asked"]
pub struct Report {
    /// Who was tested.
    subject: &'static str,
    /// Each case with its verdict.
    verdicts: Vec<(&'static str, Verdict)>,
}

impl Report {
    /// No cases yet.
    pub(super) fn new(subject: &'static str) -> Self {
        Self { subject, verdicts: Vec::new() }
    }

    /// Adds a case.
    pub(super) fn add(&mut self, case: &'static str, verdict: Verdict) {
        self.verdicts.push((case, verdict));
    }

    /// Each case with its verdict.
    #[must_use]
    pub fn verdicts(&self) -> &[(&'static str, Verdict)] {
        &self.verdicts
    }

    /// How many cases passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Passed).count()
    }

    /// How many cases failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Failed(_))).count()
    }

    /// How many cases could not be tried here.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Skipped(_))).count()
    }

    /// Prints the report.
    ///
    /// # Panics
    /// If a case failed, or none passed: with the report.
    pub fn assert_passed(&self) {
        assert!(self.failed() == 0 && self.passed() != 0, "{self}");
        println!("{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, skipped, failed) = (self.passed(), self.skipped(), self.failed());
        write!(f, "conformance of {}: {passed} passed, {skipped} skipped, {failed} failed", self.subject)?;
        for (case, verdict) in &self.verdicts {
            match verdict {
                Verdict::Passed => {}
                Verdict::Skipped(reason) => write!(f, "\n  SKIP {case}: {reason}")?,
                Verdict::Failed(reason) => write!(f, "\n  FAIL {case}: {reason}")?,
            }
        }
        Ok(())
    }
}
