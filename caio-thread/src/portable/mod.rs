//! What works everywhere: safe code, with `std` and, on Unix, `rustix`.

#[cfg(all(unix, not(target_os = "linux")))]
mod bell;
#[cfg(unix)]
mod streams;
mod syscalls;
#[cfg(unix)]
#[path = "transfer_unix.rs"]
mod transfer;
#[cfg(windows)]
#[path = "transfer_windows.rs"]
mod transfer;

#[cfg(not(target_os = "linux"))]
pub use crate::platform::miss as attempt;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use bell::Bell;
#[cfg(unix)]
pub(crate) use streams::PortableStreams;
pub(crate) use syscalls::Portable;
