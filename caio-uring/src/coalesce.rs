//! Taking completions in groups, where many `O_DIRECT` transfers are under way.
//!
//! One by one, each completion wakes a task, which submits one operation, which the device
//! completes by itself: every operation pays for a wake-up and for a system call of its own. So the
//! reaper waits in the kernel for most of the transfers in flight at a time, and wakes one task.
//! That one takes the others' completions in its own thread, where waking their tasks costs no
//! system call; all of them submit, and whoever is polled again first flushes for all
//! ([`Submitted::Grouped`](caio_core::Submitted::Grouped)). So the group stays together: a wake-up
//! and a system call serve as many operations as there are tasks.

use crate::engine::Engine;
use crate::ring::Ring;
use caio_core::Submitted;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::time::Duration;

/// How many transfers must be under way at a time for groups of them to pay off.
const MIN_DEPTH: u32 = 4;
/// A group smaller than this is not worth waiting for.
const MIN_GROUP: usize = 4;
/// How many groups in a row must be too small for the reaper to sleep as it does otherwise.
const MAX_SMALL: u32 = 32;
/// How long a group is waited for.
const GROUP_TIMEOUT: Duration = Duration::from_micros(500);
/// How long the next completion is waited for, where a group did not come.
const NEXT_TIMEOUT: Duration = Duration::from_millis(2);

/// Whether completions are taken in groups.
#[derive(Debug, Default)]
pub(crate) struct Coalescing {
    /// Whether the reaper waits for groups: then it flushes and delivers without being asked.
    on: AtomicBool,
    /// Whether the reaper was asked to.
    requested: AtomicBool,
    /// How large the last group was.
    group: AtomicUsize,
}

impl Coalescing {
    /// Whether the reaper waits for groups.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
}

impl Engine {
    /// How an `O_DIRECT` transfer that was just staged is completed. Where many are under way, asks
    /// the reaper to wait for groups of them.
    ///
    /// One that is grouped may be left to the reaper to flush. The reaper turns groups off before
    /// it flushes for the last time; we have staged before we look whether they are on. With a full
    /// barrier on both sides, either we see them off, or the reaper sees what we have staged.
    pub(crate) fn coalesce(&self, direct_depth: u32) -> Submitted {
        if self.coalescing.is_on() {
            fence(Ordering::SeqCst);
            if self.coalescing.is_on() {
                return Submitted::Grouped;
            }
        } else if direct_depth > MIN_DEPTH && !self.coalescing.requested.load(Ordering::Relaxed) {
            self.request_coalescing();
        }
        Submitted::Alone
    }

    /// Asks the reaper to wait for groups from now on.
    #[cold]
    fn request_coalescing(&self) {
        let able = self.mailbox.is_none() && !self.is_polled() && self.shards.only().is_some_and(Ring::can_wait);
        if able && !self.coalescing.requested.swap(true, Ordering::Relaxed) {
            self.nudge();
        }
    }

    /// Whether what is staged is but a small part of a group that is soon to be completed: then it
    /// is flushed with the rest.
    pub(crate) fn group_flushes_soon(&self) -> bool {
        self.coalescing.is_on()
            && self.shards.only().is_some_and(|ring| {
                let group = self.coalescing.group.load(Ordering::Relaxed);
                ring.staged() * 4 < group && ring.entered() * 2 >= group
            })
    }

    /// Waits for groups if it was asked to, until there are none. The reaper calls this.
    pub(crate) fn reap_groups(&self) {
        let requested = |_: &&Ring| self.coalescing.requested.load(Ordering::Relaxed);
        let Some(ring) = self.shards.only().filter(requested) else {
            return;
        };
        self.coalescing.on.store(true, Ordering::SeqCst);
        ring.disable_eventfd_if(|| true);
        let able = self.wait_for_groups(ring);
        self.coalescing.on.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.flush_rings();
        // Where the kernel forbids this kind of waiting it is not asked again.
        self.coalescing.requested.store(!able, Ordering::Relaxed);
        if ring.enable_eventfd() {
            self.reap_all();
        }
    }

    /// Takes group after group. `false` if the kernel refuses to wait.
    fn wait_for_groups(&self, ring: &Ring) -> bool {
        let mut group = ring.operations().max(MIN_GROUP);
        let mut small = 0;
        let mut is_ready = false;
        while small < MAX_SMALL && !self.is_disturbed() {
            let (count, timeout) = if group == 0 { (1, NEXT_TIMEOUT) } else { (min_complete(group), GROUP_TIMEOUT) };
            if !is_ready && !ring.wait(count, timeout) {
                return false;
            }
            let ready = ring.ready();
            // What waits for room is submitted by whoever delivers, and no future of it is polled
            // again to flush.
            let waiting = self.completer.waiting() != 0;
            let reaped = ring.reaped();
            let wanted = ready != 0 && self.take(1).flush;
            if ready == 0 || waiting || wanted {
                self.flush_rings(); // for futures that are not polled again
            }
            is_ready = ready > 1 && self.await_task(ring, ready, reaped, group);
            let entered = ring.entered();
            if ready.max(entered) == 0 {
                break;
            }
            small = if ready.max(entered) < MIN_GROUP { small + 1 } else { 0 };
            group = if ready == 0 { 0 } else { ready.max(entered) };
            self.coalescing.group.store(group, Ordering::Relaxed);
        }
        true
    }

    /// One of `ready` completions was delivered. Its task takes the others, and meanwhile the next
    /// group is waited for; where the task does not come, they are delivered here. `reaped` is how
    /// many completions had been taken before that one. Says whether the next group is ready.
    fn await_task(&self, ring: &Ring, ready: usize, reaped: usize, group: usize) -> bool {
        let taken = || ring.reaped().wrapping_sub(reaped);
        let both = ready + min_complete(group);
        // The kernel counts from what is taken when the call begins, which may be all of them: the
        // task may have been faster.
        ring.wait(both.saturating_sub(taken()), GROUP_TIMEOUT);
        if taken() < ready {
            self.reap_all();
            return false;
        }
        taken() + ring.ready() >= both
    }

    /// Whether the reaper has something else to do.
    fn is_disturbed(&self) -> bool {
        let set = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        set(&self.closing) || set(&self.retry) || set(&self.backlog)
    }
}

/// How many completions of a group are waited for: a few that take longer than the others do not
/// hold them up.
fn min_complete(group: usize) -> usize {
    group - group / 4
}
