//! One case with one backend: with a deadline, in the company that it may have.

use crate::Subject;
use crate::cases::{Case, Company};
use crate::fixture::{Fixture, Skip};
use crate::meter::{Longest, Meter};
use crate::own_process;
use libtest_mimic::{Completion, Failed};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

/// How often a case is run again because a call took too long, which another program can cause.
const RUNS: usize = 3;

/// Held for writing by a case that runs alone, for reading by all others.
static COMPANY: RwLock<()> = RwLock::new(());

/// What became of a case: it passed, was ignored, or failed.
pub(crate) type Verdict = Result<Completion, Failed>;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A case.
    pub(crate) case: Duration,
    /// A call of the library, where that is asked for.
    pub(crate) call: Option<Duration>,
}

/// One case with one backend.
pub(crate) struct Test {
    /// Its full name.
    pub(crate) name: String,
    /// Where its directory is made.
    pub(crate) dir: PathBuf,
    /// The backend under test.
    pub(crate) subject: Subject,
    /// The behaviour.
    pub(crate) case: Case,
    /// How long it may take.
    pub(crate) limits: Limits,
}

impl Test {
    /// Runs it, and tells the longest call.
    pub(crate) fn run(&self) -> (Verdict, Longest) {
        match self.case.company {
            Company::Others => {
                let _others = COMPANY.read().unwrap_or_else(PoisonError::into_inner);
                self.run_measured(Self::run_in_thread)
            }
            Company::Alone => {
                let _alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
                self.run_measured(Self::run_in_thread)
            }
            Company::Process | Company::Nobody if own_process::is_for(&self.name) => {
                self.run_measured(|test, meter| test.run_here(meter))
            }
            Company::Process => {
                let _others = COMPANY.read().unwrap_or_else(PoisonError::into_inner);
                (own_process::run(&self.name, false, self.limits.case), Longest::default())
            }
            Company::Nobody => {
                let _others = COMPANY.read().unwrap_or_else(PoisonError::into_inner);
                (own_process::run(&self.name, true, self.limits.case), Longest::default())
            }
        }
    }

    /// Runs it until no call takes longer than it may, a few times at most.
    fn run_measured(&self, run: impl Fn(&Self, &Arc<Meter>) -> Verdict) -> (Verdict, Longest) {
        let mut runs = 0;
        loop {
            let meter = Arc::new(Meter::default());
            let verdict = run(self, &meter);
            let longest = meter.longest();
            let too_long = verdict.is_ok() && self.limits.call.is_some_and(|limit| longest.time > limit);
            runs += 1;
            if !too_long {
                return (verdict, longest);
            }
            if runs == RUNS {
                return (Err(format!("{longest}, in run {runs}").into()), longest);
            }
        }
    }

    /// Runs it in a thread of its own, which is left behind if it hangs.
    fn run_in_thread(&self, meter: &Arc<Meter>) -> Verdict {
        let case = self.case;
        let fixture = Fixture::new(&self.dir, &self.subject, case.name, meter)?;
        let (sender, receiver) = channel();
        let body = move || {
            let verdict = judge(case, &fixture);
            drop(fixture);
            // A case that ends after its deadline has nobody to tell.
            let _late = sender.send(verdict);
        };
        let thread = thread::Builder::new().name(case.name.to_owned()).spawn(body)?;
        match receiver.recv_timeout(self.limits.case) {
            Ok(verdict) => {
                let ended = thread.join();
                debug_assert!(ended.is_ok(), "its panic was caught");
                verdict
            }
            Err(RecvTimeoutError::Timeout) => Err(format!("it did not end within {:?}", self.limits.case).into()),
            Err(RecvTimeoutError::Disconnected) => Err("its thread ended without a verdict".into()),
        }
    }

    /// Runs it in this thread: the main one of a process of its own.
    fn run_here(&self, meter: &Arc<Meter>) -> Verdict {
        let fixture = Fixture::new(&self.dir, &self.subject, self.case.name, meter)?;
        judge(self.case, &fixture)
    }
}

/// Runs a case.
fn judge(case: Case, fixture: &Fixture) -> Verdict {
    let result = catch_unwind(AssertUnwindSafe(|| (case.run)(fixture)));
    result.map_or_else(of_panic, |()| Ok(Completion::Completed))
}

/// What the payload of a panic says.
fn of_panic(payload: Box<dyn Any + Send>) -> Verdict {
    let payload = match payload.downcast::<Skip>() {
        Ok(skip) => return Ok(Completion::ignored_with(skip.0)),
        Err(payload) => payload,
    };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    Err(text.unwrap_or("it panicked").into())
}
