//! How many `O_DIRECT` transfers are under way at a time.

use crate::sync::atomic::{AtomicU32, Ordering};

/// How often one that seems to be alone lets the executor's other tasks start theirs first, so that
/// a change is noticed.
const SAMPLE_INTERVAL: u32 = 16;

/// By which part of it the estimate shrinks with each transfer that had fewer with it.
const DECAY: u32 = 32;

/// Estimates the depth: as many were under way with a transfer as have started between its start
/// and its end.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Depth {
    /// How many have started. It wraps around.
    started: AtomicU32,
    /// How many others were under way with the one that ended last.
    last: AtomicU32,
    /// The most that were lately, in sixteenths.
    peak: AtomicU32,
}

impl Depth {
    /// Nothing has started.
    pub(crate) fn new() -> Self {
        Self { started: AtomicU32::new(0), last: AtomicU32::new(0), peak: AtomicU32::new(0) }
    }

    /// One starts: its number, for [`end`](Self::end).
    pub(crate) fn start(&self) -> u32 {
        self.started.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// One has ended.
    pub(crate) fn end(&self, number: u32) {
        let meanwhile = self.started.load(Ordering::Relaxed).wrapping_sub(number);
        if self.last.load(Ordering::Relaxed) != meanwhile {
            self.last.store(meanwhile, Ordering::Relaxed);
        }
        let peak = self.peak.load(Ordering::Relaxed);
        let decayed = peak - peak.div_ceil(DECAY);
        let next = decayed.max(meanwhile.saturating_mul(16));
        if next != peak {
            self.peak.store(next, Ordering::Relaxed);
        }
    }

    /// The estimate: what was the most lately, since those that start together end one after the
    /// other.
    pub(crate) fn get(&self) -> u32 {
        self.peak.load(Ordering::Relaxed) / 16
    }

    /// Whether a transfer with this number is probably the only one: then its end is worth looking
    /// for at once.
    pub(crate) fn is_alone(&self, number: u32) -> bool {
        number % SAMPLE_INTERVAL != 0 && self.last.load(Ordering::Relaxed) <= 1
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_is_alone() {
        let depth = Depth::new();
        for _ in 0..5 {
            let number = depth.start();
            depth.end(number);
        }
        assert_eq!(depth.get(), 0);
        assert!(depth.is_alone(depth.start()));
    }

    #[test]
    fn those_started_meanwhile_count() {
        let depth = Depth::new();
        let first = depth.start();
        (0..8).for_each(|_| assert!(depth.start() > first));
        depth.end(first);
        assert_eq!(depth.get(), 8);
        assert!(!depth.is_alone(depth.start()));
    }

    #[test]
    fn a_wave_is_remembered_until_the_next_one_and_then_forgotten() {
        let depth = Depth::new();
        let wave: Vec<u32> = (0..8).map(|_| depth.start()).collect();
        wave.into_iter().for_each(|number| depth.end(number));
        assert!((5..=7).contains(&depth.get()), "{}", depth.get());
        for _ in 0..200 {
            depth.end(depth.start());
        }
        assert_eq!(depth.get(), 0);
    }

    #[test]
    fn one_of_sixteen_is_a_sample() {
        let depth = Depth::new();
        let alone = (0..32).filter(|_| depth.is_alone(depth.start())).count();
        assert_eq!(alone, 30);
    }
}
