//! The one place that chooses whether events are emitted.

#[cfg(feature = "tracing")]
#[path = "trace/events.rs"]
mod select;
#[cfg(not(feature = "tracing"))]
#[path = "trace/silent.rs"]
mod select;

pub(crate) use select::{gave_up, opened, refused};
