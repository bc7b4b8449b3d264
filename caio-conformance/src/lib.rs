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
#![deny(unsafe_code)]

mod cases;
mod fixture;
pub mod kit;
mod subject;
mod suite;

pub use subject::Subject;
pub use suite::{names, run};
