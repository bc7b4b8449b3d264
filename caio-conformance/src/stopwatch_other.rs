//! Measures a call by the clock, where the system does not tell what else ran meanwhile.

use std::time::{Duration, Instant};

/// Measures the time of a call.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// A call begins.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it took.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
