//! What users of the facade rely on, on every backend and under every executor.
//!
//! `CAIO_TEST_BACKEND` (`auto`, `uring`, `aio`, `thread`, `portable`) and `CAIO_TEST_EXECUTOR` (`block_on`, `async-executor`,
//! `tokio-current`, `tokio-multi`, `smol`) narrow a run to one of each; unset, all of them are run.

mod allocations;
mod api;
mod backends;
mod executors;
mod fallback;
#[cfg(target_os = "linux")]
mod leaks;
#[cfg(target_os = "linux")]
mod refused;
mod runtimes;
