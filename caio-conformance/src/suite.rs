//! Every case as a test that libtest-mimic runs.

use crate::Subject;
use crate::cases::{self, Case};
use crate::meter::Longest;
use crate::test::{Limits, Test};
use libtest_mimic::{Arguments, Trial};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long one case may take, where `CAIO_TEST_DEADLINE_S` does not say otherwise.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most cases at a time: they wait more than they compute, but some make a hundred files or threads.
const MAX_THREADS: usize = 4;

/// The longest call of all cases, and the case's name.
static LONGEST: Mutex<Option<(Longest, String)>> = Mutex::new(None);

/// The names of all cases, theme by theme.
pub fn names() -> impl Iterator<Item = &'static str> {
    cases::all().into_iter().map(|case| case.name)
}

/// Runs what the command line asks for. Each case's directory is made below `dir`.
///
/// # Panics
/// If a variable of the environment that is to have a number has none.
#[must_use]
pub fn run(dir: &Path, subjects: Vec<Subject>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    let limits = Limits {
        call: number("CAIO_TEST_POLL_LIMIT_MS").map(Duration::from_millis),
        case: number("CAIO_TEST_DEADLINE_S").map_or(DEADLINE, Duration::from_secs),
    };
    // Where calls are measured, no other case is to want the processor.
    let threads = if limits.call.is_some() { 1 } else { MAX_THREADS };
    arguments.test_threads = arguments.test_threads.or(Some(threads));
    let trials = subjects.iter().flat_map(|subject| trials(dir, subject, limits)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some((longest, name)) = LONGEST.lock().unwrap_or_else(PoisonError::into_inner).take() {
        println!("longest call: {longest}, in {name}");
    }
    conclusion.exit_code()
}

/// The number in a variable of the environment.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// The cases of a subject.
fn trials(dir: &Path, subject: &Subject, limits: Limits) -> impl Iterator<Item = Trial> {
    let asked = cases::all().into_iter().filter(|case| subject.is_asked(case.name));
    asked.map(move |case| trial(dir, subject, case, limits))
}

/// A case with a subject.
fn trial(dir: &Path, subject: &Subject, case: Case, limits: Limits) -> Trial {
    let name = format!("{}/{}", subject.name(), case.name);
    let test = Test { name: name.clone(), dir: dir.to_owned(), subject: subject.clone(), case, limits };
    Trial::ignorable_test(name, move || {
        let (verdict, longest) = test.run();
        let mut of_all = LONGEST.lock().unwrap_or_else(PoisonError::into_inner);
        if longest.time > of_all.as_ref().map_or(Duration::ZERO, |(before, _)| before.time) {
            *of_all = Some((longest, test.name));
        }
        verdict
    })
}
