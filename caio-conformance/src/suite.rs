//! Every case as a test that libtest-mimic runs.

use crate::Subject;
use crate::cases::{self, Case, Company};
use crate::fixture::{Fixture, Skip};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::Duration;

/// How long one case may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most cases at a time: they wait more than they compute, but some make a hundred files or threads.
const MAX_THREADS: usize = 4;

/// Held for writing by a case that runs alone, for reading by all others.
static COMPANY: RwLock<()> = RwLock::new(());

/// The names of all cases, theme by theme.
pub fn names() -> impl Iterator<Item = &'static str> {
    cases::all().into_iter().map(|case| case.name)
}

/// Runs what the command line asks for. Each case's directory is made below `dir`.
#[must_use]
pub fn run(dir: &Path, subjects: Vec<Subject>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(MAX_THREADS));
    let trials = subjects.iter().flat_map(|subject| trials(dir, subject)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The cases of a subject.
fn trials(dir: &Path, subject: &Subject) -> impl Iterator<Item = Trial> {
    let asked = cases::all().into_iter().filter(|case| subject.is_asked(case.name));
    asked.map(|case| {
        let (dir, subject) = (dir.to_owned(), subject.clone());
        let name = format!("{}/{}", subject.name(), case.name);
        Trial::ignorable_test(name, move || match case.company {
            Company::Others => {
                let _others = COMPANY.read().unwrap_or_else(PoisonError::into_inner);
                judge(dir, subject, case)
            }
            Company::Alone => {
                let _alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
                judge(dir, subject, case)
            }
        })
    })
}

/// Runs one case in a thread of its own, which is left behind if it hangs.
fn judge(dir: PathBuf, subject: Subject, case: Case) -> Result<Completion, Failed> {
    let fixture = Fixture::new(&dir, subject, case.name)?;
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
