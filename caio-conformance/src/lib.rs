//! The behaviours that every backend must show, and a kit for the backends' tests.
//!
//! A backend crate has a test target `conformance` without a harness:
//!
//! ```no_run
//! use caio_conformance::{Subject, run, test_dir};
//! # fn open(_: &caio_core::Settings) -> std::io::Result<caio_core::Context> { caio_core::Context::new() }
//!
//! fn main() -> std::process::ExitCode {
//!     let mine = Subject::new("mine", |settings| Ok((open(settings)?, None)));
//!     run(&test_dir!(), vec![mine])
//! }
//! ```
//!
//! Each behaviour is a test of its own, `mine/streams::read_waits_for_data`, and `cargo test` takes a part of that name as
//! usual. Each has a thread, a fresh directory and a deadline, so that a hang is a failure with a
//! name. What cannot be tried on this system is ignored, with the reason.
//!
//! Every poll, drop and submission is measured, and the longest of all is told at the end. `CAIO_TEST_POLL_LIMIT_MS` makes a case fail
//! if one of them took longer than that in each of three runs: for idle machines.
#![deny(unsafe_code)]

mod cases;
mod context;
mod fixture;
pub mod kit;
mod meter;
mod subject;
mod suite;
mod test;

#[cfg_attr(unix, path = "event_loop_unix.rs")]
#[cfg_attr(not(unix), path = "event_loop_other.rs")]
mod event_loop;
#[cfg_attr(target_os = "linux", path = "own_process_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "own_process_other.rs")]
mod own_process;

#[cfg_attr(target_os = "linux", path = "stopwatch_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "stopwatch_other.rs")]
mod stopwatch;

pub use subject::Subject;
pub use suite::{names, run};
