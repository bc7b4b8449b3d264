//! How a future waits for the end of its operation: it spins in its first poll, yields for a while,
//! or parks.
//!
//! A park and a wake-up cost 20 microseconds and more; a yield costs one turn of the executor's
//! queue, in which other tasks run. Of the futures of a thread one yields, which keeps the executor
//! awake for all of them, for as long as operations end shortly after one another. Where they do
//! not, it parks as the others do. Whether each way pays off is learnt.

use super::{Adaptive, MAX_BUSY};
use crate::op::OpClass;
use crate::support;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The longest that a future yields for itself alone: a fast disk takes that long.
const MAX_DISK: Duration = Duration::from_micros(100);
/// The longest that a first poll spins: a copy of 64 KiB takes that long.
const MAX_SPIN: Duration = Duration::from_micros(10);
/// How many times a spin looks between two looks at the clock.
const LOOKS: u32 = 8;
/// The highest score, and what a failure costs.
const SCORE: (u32, u32) = (64, 4);
/// How many threads have a policy of their own; with more of them some share.
const THREADS: usize = 4;
/// How many classes have one: all but streams, whose end nobody can foresee.
const CLASSES: usize = 5;

/// What the futures of one class and one thread have learnt.
#[derive(Debug)]
pub(crate) struct WaitPolicy {
    /// Whether yielding pays off.
    yields: Adaptive,
    /// Whether spinning in the first poll does.
    spins: Adaptive,
    /// Whether reading in two parts does.
    splits: Adaptive,
    /// Whether a future yields on behalf of all.
    leased: AtomicBool,
    /// How many operations have ended. It wraps around.
    ended: AtomicU32,
}

/// A future's right to yield.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// Until when.
    until: Instant,
    /// How many operations had ended when it began.
    ended: u32,
    /// Whether it is on behalf of all.
    for_all: bool,
}

/// What a future does that has nothing to do.
#[derive(Debug)]
pub(crate) enum Next {
    /// It wakes itself.
    Yield(Lease),
    /// It waits to be woken.
    Park,
}

impl WaitPolicy {
    /// Nothing is learnt yet.
    fn new() -> Self {
        let adaptive = || Adaptive::new(SCORE.0, SCORE.1);
        Self {
            yields: adaptive(),
            spins: adaptive(),
            splits: adaptive(),
            leased: AtomicBool::new(false),
            ended: AtomicU32::new(0),
        }
    }

    /// What a future does that has just found nothing for the first time. For an `O_DIRECT`
    /// transfer each yields for itself: whoever yields takes completions for all, and the backend's
    /// thread is not needed while all do.
    pub(crate) fn begin(&self, class: OpClass, now: impl FnOnce() -> Instant) -> Next {
        let for_all = match class {
            OpClass::Stream => return Next::Park,
            OpClass::Direct => false,
            OpClass::CachedRead | OpClass::BufferedWrite | OpClass::Position | OpClass::Sync => true,
        };
        let taken = for_all && self.leased.load(Ordering::Relaxed);
        if taken || !self.yields.is_worth_trying() || for_all && self.leased.swap(true, Ordering::Relaxed) {
            return Next::Park;
        }
        Next::Yield(self.lease(now(), for_all))
    }

    /// What a future does that has found nothing again.
    pub(crate) fn renew(&self, lease: Lease, now: Instant) -> Next {
        if now < lease.until {
            return Next::Yield(lease);
        }
        let fresh = self.lease(now, lease.for_all);
        if !lease.for_all || fresh.ended == lease.ended {
            return Next::Park;
        }
        self.yields.learn(true);
        Next::Yield(fresh)
    }

    /// A future yields no more: its operation has ended, or (`!paid_off`) none has for too long.
    pub(crate) fn end(&self, lease: Lease, paid_off: bool) {
        self.yields.learn(paid_off);
        if lease.for_all {
            self.leased.store(false, Ordering::Relaxed);
        }
    }

    /// An operation has ended.
    pub(crate) fn count(&self) {
        self.ended.store(self.ended.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether a first poll is to spin.
    pub(crate) fn may_spin(&self) -> bool {
        self.spins.is_worth_trying()
    }

    /// Spins until `has_ended` says so, or for as long as it may.
    pub(crate) fn spin(&self, has_ended: impl Fn() -> bool, now: impl Fn() -> Instant) {
        let until = now() + MAX_SPIN;
        let paid_off = loop {
            let look = |_| {
                std::hint::spin_loop();
                has_ended()
            };
            if (0..LOOKS).any(look) {
                break true;
            }
            if now() >= until {
                break false;
            }
        };
        self.spins.learn(paid_off);
    }

    /// Whether to read in two parts.
    pub(crate) fn may_split(&self) -> bool {
        self.splits.is_worth_trying()
    }

    /// A read in two parts has ended.
    pub(crate) fn learn_split(&self, paid_off: bool) {
        self.splits.learn(paid_off);
    }

    /// A right to yield that begins now.
    fn lease(&self, now: Instant, for_all: bool) -> Lease {
        let time = if for_all { MAX_BUSY } else { MAX_DISK };
        Lease { until: now + time, ended: self.ended.load(Ordering::Relaxed), for_all }
    }
}

/// The policies of a context, by class and thread.
#[derive(Debug)]
pub(crate) struct WaitPolicies([[WaitPolicy; THREADS]; CLASSES]);

impl WaitPolicies {
    /// Nothing is learnt yet.
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| std::array::from_fn(|_| WaitPolicy::new())))
    }

    /// The number of the calling thread, for [`of`](Self::of).
    pub(crate) fn thread() -> u8 {
        (support::thread_number() % THREADS) as u8
    }

    /// That of the operations of a class which a thread has started; `None` for those that only
    /// park.
    pub(crate) fn of(&self, class: OpClass, thread: u8) -> Option<&WaitPolicy> {
        let class = match class {
            OpClass::CachedRead => 0,
            OpClass::BufferedWrite => 1,
            OpClass::Direct => 2,
            OpClass::Position => 3,
            OpClass::Sync => 4,
            OpClass::Stream => return None,
        };
        Some(&self.0[class][usize::from(thread)])
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A lease, if the future yields.
    fn lease(next: Next) -> Option<Lease> {
        match next {
            Next::Yield(lease) => Some(lease),
            Next::Park => None,
        }
    }

    #[test]
    fn one_future_yields_for_all() {
        let (policy, now) = (WaitPolicy::new(), Instant::now());
        let first = lease(policy.begin(OpClass::Sync, || now)).unwrap();
        assert!(lease(policy.begin(OpClass::Sync, || now)).is_none());
        policy.end(first, true);
        assert!(lease(policy.begin(OpClass::Sync, || now)).is_some());
    }

    #[test]
    fn each_direct_transfer_yields_for_itself() {
        let (policy, now) = (WaitPolicy::new(), Instant::now());
        assert!((0..3).all(|_| lease(policy.begin(OpClass::Direct, || now)).is_some()));
    }

    #[test]
    fn streams_park() {
        assert!(lease(WaitPolicy::new().begin(OpClass::Stream, Instant::now)).is_none());
    }

    #[test]
    fn a_lease_lasts_as_long_as_operations_end() {
        let (policy, now) = (WaitPolicy::new(), Instant::now());
        let first = lease(policy.begin(OpClass::BufferedWrite, || now)).unwrap();
        assert!(lease(policy.renew(first, now + MAX_BUSY / 2)).is_some());
        policy.count();
        let second = lease(policy.renew(first, now + MAX_BUSY)).unwrap();
        assert!(lease(policy.renew(second, now + MAX_BUSY * 2)).is_none());
    }

    #[test]
    fn a_lease_for_itself_is_not_renewed() {
        let (policy, now) = (WaitPolicy::new(), Instant::now());
        let first = lease(policy.begin(OpClass::Direct, || now)).unwrap();
        policy.count();
        assert!(lease(policy.renew(first, now + MAX_DISK)).is_none());
    }

    #[test]
    fn what_never_pays_off_is_left_out() {
        let (policy, now) = (WaitPolicy::new(), Instant::now());
        for _ in 0..SCORE.0 {
            if let Some(lease) = lease(policy.begin(OpClass::Direct, || now)) {
                policy.end(lease, false);
            }
        }
        assert!(lease(policy.begin(OpClass::Direct, || now)).is_none());
    }

    #[test]
    fn a_spin_has_an_end() {
        let (policy, start) = (WaitPolicy::new(), Instant::now());
        let ticks = std::cell::Cell::new(0);
        let clock = || {
            ticks.set(ticks.get() + 1);
            start + Duration::from_micros(ticks.get())
        };
        policy.spin(|| false, clock);
        assert_eq!(ticks.get(), 11);
        (0..SCORE.0).for_each(|_| policy.spin(|| false, clock));
        assert!(!policy.may_spin());
    }
}
