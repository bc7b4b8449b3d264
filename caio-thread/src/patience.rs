//! Whether a worker without work waits a little before it sleeps.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The longest that a worker looks for work before it sleeps.
const BUDGET: Duration = Duration::from_micros(50);
/// How many looks go by between two looks at the clock, and at whether another thread wants the core.
const LOOKS: u32 = 32;
/// The score's ceiling.
const CEILING: u32 = 16;
/// What a success adds to the score; a failure takes 1.
const GAIN: u32 = 4;
/// Out of how many waits one is tried although waiting has not paid off.
const PROBE: u32 = 64;

/// Whether waiting has paid off lately. Guarded by the pool's lock.
#[derive(Debug)]
pub(crate) struct Patience {
    /// How well it has paid off.
    score: u32,
    /// Waits that were left out since the last that was tried.
    skipped: u32,
}

impl Patience {
    /// Optimistic at first.
    pub(crate) fn new() -> Self {
        Self { score: CEILING / 2, skipped: 0 }
    }

    /// Whether to wait this time.
    pub(crate) fn is_worthwhile(&mut self) -> bool {
        if !has_many_cores() {
            return false;
        }
        if self.score > 0 {
            return true;
        }
        self.skipped = if self.skipped >= PROBE { 0 } else { self.skipped + 1 };
        self.skipped == 0
    }

    /// Learns from a wait.
    pub(crate) fn learn(&mut self, paid_off: bool) {
        self.score = if paid_off { CEILING.min(self.score + GAIN) } else { self.score.saturating_sub(1) };
    }
}

/// Waits until a counter is not zero, within the budget.
pub(crate) fn spin(counter: &AtomicUsize) {
    let until = Instant::now() + BUDGET;
    loop {
        for _ in 0..LOOKS {
            if counter.load(Ordering::Relaxed) != 0 {
                return;
            }
            std::hint::spin_loop();
        }
        if Instant::now() >= until {
            return;
        }
        std::thread::yield_now();
    }
}

/// Whether somebody else can make progress while we wait.
fn has_many_cores() -> bool {
    cores() > 1
}

/// How many cores there are for this process: asked once, because asking costs some twenty system calls.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
