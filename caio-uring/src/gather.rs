//! Taking completions in groups, where many transfers are under way.
//!
//! One by one, each completion wakes a task, which submits one operation, which the device completes by itself: every operation
//! pays for a wake-up and for a system call of its own. So the reaper waits in the kernel for most of the transfers in flight at a
//! time, and wakes one task. That one takes the others' completions in its own thread, where waking their tasks costs no system
//! call; all of them submit, and whoever is polled again first flushes for all (see [`Backend::is_gathering`]). So the group stays
//! together: a wake-up and a system call serve as many operations as there are tasks.

use crate::backend::Engine;
use crate::ring::Ring;
use caio_core::Backend;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::time::Duration;

/// A group smaller than this is not worth waiting for.
const FEWEST: usize = 4;
/// How many groups in a row must be too small for the reaper to sleep as it does otherwise.
const MOST_SMALL: u32 = 32;
/// How long a group is waited for.
const GROUP: Duration = Duration::from_micros(500);
/// How long, where a group did not come, the next completion is waited for.
const NEXT: Duration = Duration::from_millis(2);

/// Whether completions are taken in groups.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// Whether the reaper waits for groups: then it flushes and delivers without being asked.
    on: AtomicBool,
    /// Whether the reaper was asked to.
    called: AtomicBool,
    /// How large the last group was.
    group: AtomicUsize,
}

impl Gathering {
    /// Whether the reaper waits for groups.
    ///
    /// Whoever staged a request before may leave the flush to the reaper: it turns this off before it flushes for the last time, so
    /// that either the caller sees it off, or the reaper sees the request.
    pub(crate) fn is_on(&self) -> bool {
        fence(Ordering::SeqCst);
        self.on.load(Ordering::Relaxed)
    }
}

impl Engine {
    /// Asks the reaper to wait for groups from now on.
    pub(crate) fn call_gatherer(&self) {
        let able = self.mailbox.is_none() && !self.is_polled() && self.shards.only().is_some_and(Ring::can_wait);
        if able && !self.gathering.called.swap(true, Ordering::Relaxed) {
            self.nudge();
        }
    }

    /// Flushes what is staged, unless it is but a small part of a group that is soon to be completed: then it goes with the rest.
    pub(crate) fn flush_if_group(&self) {
        let may_wait = |ring: &Ring| {
            let group = self.gathering.group.load(Ordering::Relaxed);
            ring.staged() * 4 < group && ring.transfers_entered() * 2 >= group
        };
        if !self.gathering.is_on() || !self.shards.only().is_some_and(may_wait) {
            self.flush();
        }
    }

    /// Waits for groups if it was asked to, until there are none. The reaper calls this.
    pub(crate) fn gather(&self) {
        let called = |_: &&Ring| self.gathering.called.load(Ordering::Relaxed);
        let Some(ring) = self.shards.only().filter(called) else {
            return;
        };
        self.gathering.on.store(true, Ordering::SeqCst);
        ring.mute_if(|| true);
        let able = self.wait_for_groups(ring);
        self.gathering.on.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.flush();
        // Where the kernel forbids this kind of waiting it is not asked again.
        self.gathering.called.store(!able, Ordering::Relaxed);
        if ring.notify() {
            self.harvest_all();
        }
    }

    /// Takes group after group. `false` if the kernel refuses to wait.
    fn wait_for_groups(&self, ring: &Ring) -> bool {
        let mut group = ring.transfers().max(FEWEST);
        let mut small = 0;
        let mut come = false;
        while small < MOST_SMALL && !self.closing.load(Ordering::SeqCst) && !self.stuck.load(Ordering::SeqCst) {
            let (count, patience) = if group == 0 { (1, NEXT) } else { (most_of(group), GROUP) };
            if !come && !ring.wait(count, patience) {
                return false;
            }
            let ready = ring.ready();
            // What waits for room is submitted by whoever delivers, and no future of it is polled again to flush.
            let waiting = self.completer.waiting() != 0;
            let reaped = ring.reaped();
            if ready != 0 {
                self.take(1);
            }
            if ready == 0 || waiting {
                self.flush(); // for futures that are not polled again
            }
            come = ready > 1 && self.await_task(ring, ready, reaped, group);
            let entered = ring.transfers_entered();
            if ready.max(entered) == 0 {
                break;
            }
            small = if ready.max(entered) < FEWEST { small + 1 } else { 0 };
            group = if ready == 0 { 0 } else { ready.max(entered) };
            self.gathering.group.store(group, Ordering::Relaxed);
        }
        true
    }

    /// One completion of those that were ready is delivered, and its task comes for the others while the next group is waited for. If
    /// it has not, delivers them. `before` so many had been taken before that one. Says whether the next group has come.
    fn await_task(&self, ring: &Ring, ready: usize, before: usize, group: usize) -> bool {
        let taken = || ring.reaped().wrapping_sub(before);
        let both = ready + most_of(group);
        // The kernel counts from what is taken when the call begins, which may be all of them: the task may have been faster.
        ring.wait(both.saturating_sub(taken()), GROUP);
        if taken() < ready {
            self.harvest_all();
            return false;
        }
        taken() + ring.ready() >= both
    }
}

/// How many completions of a group are waited for: a few that take longer than the others do not hold them up.
fn most_of(group: usize) -> usize {
    group - group / 4
}
