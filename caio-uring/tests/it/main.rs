//! The tests of the io_uring backend.
#![cfg(target_os = "linux")]

mod support;

mod cancel;
mod coalesce;
mod completion;
mod driver;
mod options;
mod refused;
mod routes;
mod shutdown;
mod submission;
