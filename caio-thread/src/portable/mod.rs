//! What works everywhere: nothing but `std`, and no unsafe code.

#[cfg(all(unix, not(target_os = "linux")))]
mod bell;
mod carry;
#[cfg(unix)]
#[path = "position_unix.rs"]
mod position;
#[cfg(windows)]
#[path = "position_windows.rs"]
mod position;
mod streams;

#[cfg(not(target_os = "linux"))]
pub(crate) use crate::platform::miss as attempt;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use bell::Bell;
pub(crate) use carry::carrier;
