//! Linux kernel AIO as a backend of the caio asynchronous file I/O library.
//!
//! Kernel AIO is asynchronous for files that are open with `O_DIRECT`; on every other file
//! `io_submit` blocks for as long as the disk takes. So reads and writes of `O_DIRECT` files go to
//! the kernel, and the rest is finished on the spot or goes to the pool of caio-thread. The way of
//! an operation, file by file:
//!
//! 1. `routes.rs` says who carries it out;
//! 2. `prep.rs` describes it to the kernel, `ring.rs` stages it, and gives all that is staged to
//!    the kernel in one call;
//! 3. `engine.rs` delivers what the kernel has finished, and hands the pool what it would not do;
//! 4. `reaper.rs` is the thread that sees completions when no future looks; `driver.rs` takes them
//!    for an external event loop instead.
//!
//! Needs Linux 4.18, see `io_submit(2)`. On any other system than Linux the crate is empty.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod backend;
#[cfg(target_os = "linux")]
mod builder;
#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod engine;
#[cfg(target_os = "linux")]
mod prep;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod reaper;
#[cfg(target_os = "linux")]
mod refusal;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod ring;
#[cfg(target_os = "linux")]
mod routes;

#[cfg(target_os = "linux")]
pub use builder::{Aio, Builder};
#[cfg(target_os = "linux")]
pub use ring::submitted_here;
#[cfg(target_os = "linux")]
pub use routes::Routes;

#[cfg(target_os = "linux")]
caio_core::announce! {
    caio_core::Candidate { kind: caio_core::BackendKind::Aio, open: probe::open }
}

/// The README's example, compiled and run with the other ones.
#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../README.md")]
mod readme {}
