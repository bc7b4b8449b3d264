//! The kernel AIO backend through its public API.
#![cfg(target_os = "linux")]

mod bounds;
mod direct;
mod driver;
mod lifetime;
mod refusal;
mod submission;
mod support;
