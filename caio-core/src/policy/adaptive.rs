//! Whether something pays off, learnt from earlier tries.

use crate::sync::atomic::{AtomicU32, Ordering};

/// What a success adds to the score.
const GAIN: u32 = 4;
/// Out of how many times one is tried although trying has not paid off.
const PROBE_INTERVAL: u32 = 64;

/// A score that grows with each success and shrinks with each failure. At 0 the thing is left out,
/// but for a probe now and then.
///
/// Threads may share one: an update that is lost costs a little time, never a wrong result.
#[derive(Debug)]
pub struct Adaptive {
    /// How well it has paid off.
    score: AtomicU32,
    /// How often it was left out since the last probe.
    skipped: AtomicU32,
    /// The highest score.
    max: u32,
    /// What a failure takes from the score.
    loss: u32,
}

impl Adaptive {
    /// Starts at half of the highest score.
    #[must_use]
    pub fn new(max: u32, loss: u32) -> Self {
        Self { score: AtomicU32::new(max / 2), skipped: AtomicU32::new(0), max, loss }
    }

    /// Whether to try.
    #[inline]
    pub fn is_worth_trying(&self) -> bool {
        if self.score.load(Ordering::Relaxed) != 0 {
            return true;
        }
        let skipped = self.skipped.load(Ordering::Relaxed);
        self.skipped.store(if skipped >= PROBE_INTERVAL { 0 } else { skipped + 1 }, Ordering::Relaxed);
        skipped >= PROBE_INTERVAL
    }

    /// Learns from a try.
    #[inline]
    pub fn learn(&self, paid_off: bool) {
        let score = self.score.load(Ordering::Relaxed);
        let learnt = if paid_off { self.max.min(score + GAIN) } else { score.saturating_sub(self.loss) };
        if learnt != score {
            self.score.store(learnt, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn failures_end_the_tries_and_a_probe_comes_after_64() {
        let policy = Adaptive::new(16, 4);
        (0..2).for_each(|_| policy.learn(false));
        assert!(!policy.is_worth_trying());
        assert_eq!((1..=PROBE_INTERVAL).position(|_| policy.is_worth_trying()), Some(PROBE_INTERVAL as usize - 1));
        assert!(!policy.is_worth_trying(), "one probe, not more");
    }

    #[test]
    fn a_success_brings_it_back() {
        let policy = Adaptive::new(16, 4);
        (0..100).for_each(|_| policy.learn(false));
        policy.learn(true);
        assert!(policy.is_worth_trying());
        policy.learn(false);
        assert!(!policy.is_worth_trying());
    }

    #[test]
    fn the_score_has_a_ceiling() {
        let policy = Adaptive::new(16, 4);
        (0..100).for_each(|_| policy.learn(true));
        (0..4).for_each(|_| policy.learn(false));
        assert!(!policy.is_worth_trying());
    }
}
