//! Raw Linux system calls for asynchronous file I/O: kernel AIO, eventfd, preadv2 and pwritev2.
//!
//! One module a noun, one function a call. Each says which manual page describes it and which
//! kernel first had it, is safe where safety allows, and retries `EINTR` by itself.
//!
//! | module | what it holds |
//! |---|---|
//! | `aio` | `io_setup`, `io_submit`, `io_getevents`, `io_cancel`, `io_destroy` |
//! | `errno` | what an error number means, and its symbolic name |
//! | `eventfd` | a counter that a poll can wait for |
//! | `file` | what an open file is, and what it wants of direct I/O |
//! | `fork` | whether this process is a fork of the one that made a detector |
//! | `mount` | the kind of a file's file system, and its device, without asking it |
//! | `poll` | waiting until descriptors are ready |
//! | `rw` | positional and vectored reads and writes with per-call flags, `fsync`, `fdatasync` |
//! | `sched` | the I/O priority of a thread |
//! | `socket` | transfers of a socket that never wait |
//!
//! On any other system than Linux the crate is empty.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod aio;
#[cfg(target_os = "linux")]
pub mod errno;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod eventfd;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod file;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod fork;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod layout;
#[cfg(target_os = "linux")]
pub mod mount;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod poll;
#[cfg(target_os = "linux")]
mod retry;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod rw;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod sched;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod socket;

/// The README's example, compiled and run with the other ones.
#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../README.md")]
mod readme {}
