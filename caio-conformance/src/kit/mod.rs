//! What the backends' tests share: awaiting without a runtime, and what the system is asked for.

mod errors;
mod files;
mod wait;

#[cfg_attr(windows, path = "plain_windows.rs")]
#[cfg_attr(unix, path = "plain_unix.rs")]
mod plain;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod cpu;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod direct;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod limits;
#[cfg(unix)]
mod pipe;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod process;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub mod seccomp;

pub use errors::{assert_kind, assert_same_error};
pub use files::{disk_file, pattern, test_dir};
pub use plain::{read_at, write_at};
pub use wait::{Alarm, PATIENCE, block_on, join, join_all, park, poll_once, until, within};

#[cfg(target_os = "linux")]
pub use cpu::{cpu_ticks, cpu_time};
#[cfg(target_os = "linux")]
pub use direct::{BLOCK, direct_file, open_direct};
#[cfg(target_os = "linux")]
pub use limits::{Resource, limit};
#[cfg(unix)]
pub use pipe::{pipe, pipe_ends, pipe_to};
#[cfg(target_os = "linux")]
pub(crate) use process::{again, become_nobody, is_started_for};
#[cfg(target_os = "linux")]
pub use process::{alone, as_nobody, in_child};
