//! The tests of the io_uring backend.
#![cfg(target_os = "linux")]

mod support;

mod cancel;
mod completion;
mod driver;
mod gather;
mod options;
mod refused;
mod routes;
mod shutdown;
