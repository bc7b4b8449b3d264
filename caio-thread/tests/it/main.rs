//! The pool's promises, tested through its public API.

mod lanes;
mod pool;
mod support;
mod syncs;

#[cfg(target_os = "linux")]
mod alloc;
#[cfg(unix)]
mod driver;
#[cfg(target_os = "linux")]
mod inline;
#[cfg(unix)]
mod portable;
#[cfg(target_os = "linux")]
mod position;
#[cfg(target_os = "linux")]
mod refused;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod streams;
#[cfg(target_os = "linux")]
mod waiting;
