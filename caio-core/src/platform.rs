//! The one place that chooses what a platform offers.

#[cfg(target_os = "linux")]
#[path = "platform/linux.rs"]
mod select;
#[cfg(not(target_os = "linux"))]
#[path = "platform/portable.rs"]
mod select;
#[cfg(unix)]
#[allow(unsafe_code)]
#[path = "platform/unix.rs"]
mod system;
#[cfg(not(unix))]
#[path = "platform/other.rs"]
mod system;

pub(crate) use select::{Process, dio_alignment, errno_name, is_direct, kind};
#[cfg(unix)]
pub(crate) use system::wait_readable;
pub(crate) use system::with_signals_blocked;
