//! Tests of the core through its public API.

mod admission;
mod buffers;
#[cfg(unix)]
mod driver;
mod endings;
#[cfg(target_os = "linux")]
mod groups;
mod hostile;
mod mock;
mod model;
mod select;
mod split;
mod tracked;
mod turns;
