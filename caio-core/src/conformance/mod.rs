//! One suite of behaviours that every backend must show, each backend forced.
//!
//! A backend crate calls [`run`] from its tests, with the feature `conformance` of this crate:
//!
//! ```no_run
//! use caio_core::conformance::{Subject, run};
//! # fn open(_: &caio_core::Settings) -> std::io::Result<caio_core::Context> { caio_core::Context::new() }
//! run(&Subject::new("mine", |settings| open(settings))).assert_passed();
//! ```
//!
//! Each case has a thread, a fresh directory (below `CAIO_TEST_DIR`, or the system's temporary directory) and a deadline, so that
//! a hang is a failure with a name. `CAIO_TEST_CASE` chooses the cases whose name contains it.

mod bench;
mod bounds;
mod buffers;
mod control;
mod errors;
mod lifetime;
mod offsets;
mod report;
mod stats;
mod sync;
mod threads;
mod transfer;
mod vectored;
mod wait;

#[cfg_attr(windows, path = "plain_windows.rs")]
#[cfg_attr(unix, path = "plain_unix.rs")]
mod plain;

#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod direct;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod fork;
#[cfg(unix)]
#[allow(unsafe_code)]
mod pipe;
#[cfg(unix)]
mod streams;

#[cfg_attr(target_os = "linux", path = "system_linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "system_unix.rs")]
#[cfg_attr(not(unix), path = "system_other.rs")]
mod system;

pub use bench::{Bench, Case, Subject};
pub use report::{Report, Verdict};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long one case may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// All cases, theme by theme.
#[must_use]
pub fn cases() -> Vec<Case> {
    let themes: [&[Case]; 11] = [
        transfer::CASES,
        vectored::CASES,
        offsets::CASES,
        sync::CASES,
        errors::CASES,
        buffers::CASES,
        control::CASES,
        bounds::CASES,
        lifetime::CASES,
        threads::CASES,
        stats::CASES,
    ];
    [&themes, system::THEMES].concat().concat()
}

/// Runs all cases, one after the other.
pub fn run(subject: &Subject) -> Report {
    let chosen = std::env::var("CAIO_TEST_CASE").unwrap_or_default();
    let mut report = Report::new(subject.name());
    for case in cases().into_iter().filter(|case| case.name.contains(&chosen) && subject.is_asked(case.name)) {
        report.add(case.name, judge(subject, case));
    }
    report
}

/// Runs one case in a thread of its own, which is left behind if it hangs.
fn judge(subject: &Subject, case: Case) -> Verdict {
    let bench = match Bench::new(subject, case.name) {
        Ok(bench) => bench,
        Err(error) => return Verdict::Failed(format!("no directory for it: {error}")),
    };
    let (sender, receiver) = channel();
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(|| (case.run)(&bench)));
        drop(bench);
        // A case that ends after its deadline has nobody to tell.
        let _late = sender.send(result.map_err(Verdict::of_panic));
    };
    let thread = match thread::Builder::new().name(case.name.to_owned()).spawn(body) {
        Ok(thread) => thread,
        Err(error) => return Verdict::Failed(format!("no thread for it: {error}")),
    };
    match receiver.recv_timeout(DEADLINE) {
        Ok(result) => {
            let ended = thread.join();
            debug_assert!(ended.is_ok(), "its panic was caught");
            result.err().unwrap_or(Verdict::Passed)
        }
        Err(RecvTimeoutError::Timeout) => Verdict::Failed(format!("it did not end within {} s", DEADLINE.as_secs())),
        Err(RecvTimeoutError::Disconnected) => Verdict::Failed("its thread ended without a verdict".to_owned()),
    }
}
