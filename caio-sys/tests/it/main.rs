//! The crate through its public functions, on real files, pipes and processes.
#![cfg(target_os = "linux")]

mod aio;
mod errno;
mod eventfd;
mod file;
mod fork;
mod mount;
mod poll;
mod rw;
mod sched;
mod socket;
mod support;
