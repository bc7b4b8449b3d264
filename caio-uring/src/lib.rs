//! The io_uring backend of the caio asynchronous file I/O library.
//!
//! [`Uring::builder`] makes a [`Context`](caio_core::Context); programs that let the library choose
//! use the crate `caio` instead. It needs Linux 5.6 on x86-64, aarch64, riscv64, loongarch64 or
//! powerpc64; elsewhere this crate is empty.
//!
//! The way of an operation, file by file:
//!
//! 1. `routes.rs` says whether it is tried inline, goes to the ring, or goes to the pool of
//!    threads;
//! 2. `prep.rs` describes it to the kernel, `ring/` queues it and flushes the queue with one system
//!    call;
//! 3. `reap.rs` takes completions out of the ring, for whoever comes first: a future that is
//!    polled, the thread of `reaper.rs`, or an external event loop through `driver.rs`;
//!    `coalesce.rs` takes those of many `O_DIRECT` transfers in groups;
//! 4. an answer that nobody asked for (`ECANCELED` because the submitting thread has exited,
//!    `EAGAIN`, `EINTR`) sends it to the pool.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use caio_core::SharedFd;
//! use caio_uring::Uring;
//!
//! # if Uring::builder().build().is_err() { return Ok(()) }
//! let ctx = Uring::builder().max_requests(256).build()?;
//! let fd: SharedFd = tempfile::tempfile()?.into();
//! let (written, _buf) = futures::executor::block_on(ctx.write(b"Hello world", &fd, 0));
//! assert_eq!(written?, 11);
//! # Ok(()) }
//! ```
#![cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "loongarch64",
        target_arch = "powerpc64"
    )
))]
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod backend;
#[allow(unsafe_code)]
mod buffers;
mod builder;
mod coalesce;
mod driver;
#[allow(unsafe_code)]
mod engine;
mod facts;
#[allow(unsafe_code)]
mod prep;
mod probe;
mod reap;
mod reaper;
mod refusal;
#[allow(unsafe_code)]
mod ring;
mod routes;
mod shards;

pub use buffers::{BufPool, PooledBuf};
pub use builder::{Builder, Uring};
pub use routes::{Route, Routes};

caio_core::announce! {
    caio_core::Candidate { kind: caio_core::BackendKind::Uring, open: probe::open }
}

/// The README's example, compiled and run with the other ones.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
