//! The one place that chooses what a platform offers.

#[cfg(target_os = "linux")]
#[path = "platform/linux.rs"]
mod select;
#[cfg(not(target_os = "linux"))]
#[path = "platform/portable.rs"]
mod select;

pub(crate) use select::{Process, dio_alignment, errno_name, is_direct};
