//! A case in a process of its own: not on this system.

use crate::test::Verdict;
use libtest_mimic::Completion;
use std::time::Duration;

/// Whether this process was started for a test.
pub(crate) fn is_for(_test: &str) -> bool {
    false
}

/// Ignores the test.
pub(crate) fn run(_test: &str, _nobody: bool, _deadline: Duration) -> Verdict {
    Ok(Completion::ignored_with("a case has no process of its own on this system"))
}
