//! Every case as a test that libtest-mimic runs.

use crate::Subject;
use crate::cases::{self, Case, Company};
use crate::fixture::{Fixture, Skip};
use crate::meter::{Longest, Meter};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

/// How long one case may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most cases at a time: they wait more than they compute, but some make a hundred files or threads.
const MAX_THREADS: usize = 4;

/// Held for writing by a case that runs alone, for reading by all others.
static COMPANY: RwLock<()> = RwLock::new(());

/// The longest call of all cases, and the case's name.
static LONGEST: Mutex<Option<(Longest, String)>> = Mutex::new(None);

/// The names of all cases, theme by theme.
pub fn names() -> impl Iterator<Item = &'static str> {
    cases::all().into_iter().map(|case| case.name)
}

/// Runs what the command line asks for. Each case's directory is made below `dir`.
///
/// # Panics
/// If `CAIO_TEST_POLL_LIMIT_MS` is no number.
#[must_use]
pub fn run(dir: &Path, subjects: Vec<Subject>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    let limit = std::env::var("CAIO_TEST_POLL_LIMIT_MS").ok();
    let limit = limit.map(|text| Duration::from_millis(text.parse().expect("CAIO_TEST_POLL_LIMIT_MS is a number")));
    // Where calls are measured, no other case is to want the processor.
    arguments.test_threads = arguments.test_threads.or(Some(if limit.is_some() { 1 } else { MAX_THREADS }));
    let trials = subjects.iter().flat_map(|subject| trials(dir, subject, limit)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some((longest, name)) = LONGEST.lock().unwrap_or_else(PoisonError::into_inner).take() {
        println!("longest call: {longest}, in {name}");
    }
    conclusion.exit_code()
}

/// The cases of a subject.
fn trials(dir: &Path, subject: &Subject, limit: Option<Duration>) -> impl Iterator<Item = Trial> {
    let asked = cases::all().into_iter().filter(|case| subject.is_asked(case.name));
    asked.map(move |case| {
        let (dir, subject) = (dir.to_owned(), subject.clone());
        let name = format!("{}/{}", subject.name(), case.name);
        let test = Test { name: name.clone(), dir, subject, case };
        Trial::ignorable_test(name, move || match case.company {
            Company::Others => {
                let _others = COMPANY.read().unwrap_or_else(PoisonError::into_inner);
                test.run(limit)
            }
            Company::Alone => {
                let _alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
                test.run(limit)
            }
        })
    })
}

/// One case with one subject.
struct Test {
    /// Its full name.
    name: String,
    /// Where its directory is made.
    dir: PathBuf,
    /// The backend under test.
    subject: Subject,
    /// The behaviour.
    case: Case,
}

impl Test {
    /// Runs it; again if a call took longer than it may, which another program can cause.
    fn run(&self, limit: Option<Duration>) -> Result<Completion, Failed> {
        let mut runs = 0;
        loop {
            let meter = Arc::new(Meter::default());
            let verdict = self.judge(&meter)?;
            let longest = meter.longest();
            runs += 1;
            if limit.is_some_and(|limit| longest.time > limit) {
                if runs == 3 {
                    self.note(longest);
                    return Err(format!("{longest}, in the third run").into());
                }
                continue;
            }
            self.note(longest);
            return Ok(verdict);
        }
    }

    /// Keeps the longest call of all cases.
    fn note(&self, longest: Longest) {
        let mut of_all = LONGEST.lock().unwrap_or_else(PoisonError::into_inner);
        if of_all.as_ref().is_none_or(|(before, _)| longest.time > before.time) {
            *of_all = Some((longest, self.name.clone()));
        }
    }

    /// Runs it once, in a thread of its own, which is left behind if it hangs.
    fn judge(&self, meter: &Arc<Meter>) -> Result<Completion, Failed> {
        let case = self.case;
        let fixture = Fixture::new(&self.dir, &self.subject, case.name, meter)?;
        let (sender, receiver) = channel();
        let body = move || {
            let result = catch_unwind(AssertUnwindSafe(|| (case.run)(&fixture)));
            drop(fixture);
            // A case that ends after its deadline has nobody to tell.
            let _late = sender.send(result.map_or_else(of_panic, |()| Ok(Completion::Completed)));
        };
        let thread = thread::Builder::new().name(case.name.to_owned()).spawn(body)?;
        match receiver.recv_timeout(DEADLINE) {
            Ok(verdict) => {
                let ended = thread.join();
                debug_assert!(ended.is_ok(), "its panic was caught");
                verdict
            }
            Err(RecvTimeoutError::Timeout) => Err(format!("it did not end within {} s", DEADLINE.as_secs()).into()),
            Err(RecvTimeoutError::Disconnected) => Err("its thread ended without a verdict".into()),
        }
    }
}

/// What the payload of a panic says.
fn of_panic(payload: Box<dyn Any + Send>) -> Result<Completion, Failed> {
    let payload = match payload.downcast::<Skip>() {
        Ok(skip) => return Ok(Completion::ignored_with(skip.0)),
        Err(payload) => payload,
    };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    Err(text.unwrap_or("it panicked").into())
}
