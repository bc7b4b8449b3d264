//! The operations in flight: who waits for room, who runs, who has ended, and whom to wake.

mod admission;
mod outcome;
mod slot;

use admission::Admission;
pub(crate) use admission::Bound;
pub(crate) use outcome::{Abandoned, Admitted, Effects, Ended, Rare};
pub(crate) use slot::Described;
use slot::{Slot, Stage};

use crate::completer::Completion;
use crate::error;
use crate::key::Key;
use crate::op::{IoPriority, OpClass};
use crate::payload::Orphan;
use crate::policy::Depth;
use crate::request::Request;
use crate::stats::Counters;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, lock};
use slab::Slab;
use std::io;
use std::task::Waker;
use std::time::Duration;

/// All operations of one context.
///
/// A bounded number of them runs; the others wait in the order in which they came. An entry stays
/// until its future has taken the result; room is given back as soon as the operation has ended.
#[derive(Debug)]
pub(crate) struct Table {
    /// The operations. No code but the table's runs under the lock, nothing wakes and nothing
    /// waits.
    state: Mutex<State>,
    /// How many `O_DIRECT` transfers are under way at a time.
    pub(crate) depth: Depth,
    /// How many cancels of operations that run were asked for.
    cancels: AtomicU64,
    /// How many operations that ran have ended; written under the lock.
    ended: AtomicU32,
}

/// The operations.
#[derive(Debug)]
struct State {
    /// The entries by place.
    slots: Slab<Slot>,
    /// The generation of the next entry.
    generation: u32,
    /// Who runs and who waits, by [`Bound`].
    admissions: [Admission; Bound::COUNT],
    /// Whether new operations are refused, and why.
    closed: Option<fn() -> io::Error>,
    /// Who is woken when nothing runs and nothing waits, by a number of each.
    drains: Vec<(u64, Waker)>,
    /// The number of the next one.
    next_drain: u64,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(limit: usize) -> Self {
        let state = State {
            slots: Slab::new(),
            generation: 0,
            admissions: std::array::from_fn(|_| Admission::new(limit)),
            closed: None,
            drains: Vec::new(),
            next_drain: 0,
        };
        Self { state: Mutex::new(state), depth: Depth::new(), cancels: AtomicU64::new(0), ended: AtomicU32::new(0) }
    }

    /// Sets the bound, before the first operation.
    pub(crate) fn set_limit(&self, limit: usize) {
        lock(&self.state).admissions.iter_mut().for_each(|admission| admission.limit = limit);
    }

    /// Enters an operation that does not run yet.
    pub(crate) fn stage(&self, described: Described, waker: Option<Waker>) -> io::Result<Key> {
        // What is refused is dropped after the guard, which is younger.
        let mut slot = Some(Slot::new(described, waker));
        let mut state = lock(&self.state);
        state.enter(&mut slot)
    }

    /// Lets a staged operation run, or wait in its turn. Its time begins, which is to be watched if it
    /// is limited.
    pub(crate) fn admit(&self, key: Key) -> (Admitted, Option<Duration>) {
        let mut state = lock(&self.state);
        state.admit(key, &self.depth)
    }

    /// Enters an operation and admits it.
    pub(crate) fn start(
        &self,
        described: Described,
        waker: Option<Waker>,
    ) -> io::Result<(Key, Admitted, Option<Duration>)> {
        let mut slot = Some(Slot::new(described, waker));
        let mut state = lock(&self.state);
        let key = state.enter(&mut slot)?;
        let (admitted, limit) = state.admit(key, &self.depth);
        Ok((key, admitted, limit))
    }

    /// Says how urgent a staged operation is.
    pub(crate) fn set_priority(&self, key: Key, priority: IoPriority) {
        if let Some(slot) = lock(&self.state).slot(key).filter(|slot| matches!(slot.stage, Stage::Staged)) {
            slot.described.priority = Some(priority);
        }
    }

    /// Says how long an operation may take. Says whether that time begins now.
    pub(crate) fn set_timeout(&self, key: Key, timeout: Duration) -> bool {
        let mut state = lock(&self.state);
        let Some(slot) = state.slot(key).filter(|slot| !matches!(slot.stage, Stage::Done(_))) else {
            return false;
        };
        slot.described.timeout = Some(timeout);
        let begins = !matches!(slot.stage, Stage::Staged);
        slot.timed |= begins;
        begins
    }

    /// Takes the result, or leaves the waker if there is none yet. Cloning or dropping a waker runs
    /// its owner's code, and is done without the lock.
    pub(crate) fn poll(&self, key: Key, waker: &Waker) -> Option<Ended> {
        let mut fresh = None;
        loop {
            let mut state = lock(&self.state);
            let slot = state.slot(key)?;
            if matches!(slot.stage, Stage::Done(_)) {
                let slot = state.slots.remove(key.index());
                drop(state);
                drop(fresh);
                return Some(slot.into_ended());
            }
            if slot.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
                drop(state);
                drop(fresh);
                return None;
            }
            if fresh.is_some() {
                let old = std::mem::replace(&mut slot.waker, fresh);
                drop(state);
                drop(old);
                return None;
            }
            drop(state);
            fresh = Some(waker.clone());
        }
    }

    /// Whether the operation's time is up although it has not ended.
    pub(crate) fn is_expired(&self, key: Key) -> bool {
        lock(&self.state).slot(key).is_some_and(|slot| slot.expired && !matches!(slot.stage, Stage::Done(_)))
    }

    /// Whether the key names an operation.
    pub(crate) fn contains(&self, key: Key) -> bool {
        lock(&self.state).slot(key).is_some()
    }

    /// A future is dropped. Where the backend has its operation, `make` makes what is left with the
    /// table until it has ended.
    pub(crate) fn abandon(&self, key: Key, make: impl FnOnce() -> Box<dyn Orphan>) -> (Abandoned, Effects) {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        let Some(slot) = state.slot(key) else {
            return (Abandoned::NeverRan { waited: false }, effects);
        };
        if matches!(slot.stage, Stage::Running) {
            slot.orphan = Some(make());
            effects.waker = slot.waker.take();
            effects.timed = slot.timed;
            return (Abandoned::Running { reads: slot.described.op.is_read() }, effects);
        }
        let slot = state.slots.remove(key.index());
        let waited = matches!(slot.stage, Stage::Waiting);
        if waited {
            state.forget_waiting(slot.bound());
        }
        state.look_for_drain(&mut effects);
        drop(state);
        let ended = match &slot.stage {
            Stage::Done(_) => Abandoned::Ended(slot.into_ended()),
            Stage::Staged | Stage::Waiting | Stage::Running => {
                effects.timed = slot.timed;
                drop(slot);
                Abandoned::NeverRan { waited }
            }
        };
        (ended, effects)
    }

    /// Takes away the entry of an operation that has not started. `false` if it has.
    pub(crate) fn unstage(&self, key: Key) -> bool {
        let mut state = lock(&self.state);
        if !state.slot(key).is_some_and(|slot| matches!(slot.stage, Stage::Staged)) {
            return false;
        }
        let slot = state.slots.remove(key.index());
        drop(state);
        drop(slot);
        true
    }

    /// Somebody wants the operation to end, or (`expired`) its time is up.
    pub(crate) fn cancel(&self, key: Key, expired: bool, stats: &Counters) -> Effects {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        let Some(slot) = state.slot(key) else {
            return effects;
        };
        slot.expired |= expired;
        slot.cancel_asked = true;
        match slot.stage {
            Stage::Done(_) => {}
            Stage::Running => {
                self.cancels.fetch_add(1, Ordering::Relaxed);
                effects.waker = if expired { slot.waker.take() } else { None };
                effects.ask_backend = true;
            }
            Stage::Staged | Stage::Waiting => {
                let waited = matches!(slot.stage, Stage::Waiting);
                slot.stage = Stage::Done(Completion::Cancelled);
                effects.waker = slot.waker.take();
                let bound = slot.bound();
                if waited {
                    stats.ended(false, &Completion::Cancelled);
                    state.forget_waiting(bound);
                }
                state.look_for_drain(&mut effects);
            }
        }
        effects
    }

    /// The backend is done with an operation. It is counted before anybody can see that it has
    /// ended.
    /// Gives the operation that now has room.
    pub(crate) fn complete(&self, key: Key, completion: Completion, stats: &Counters) -> (Effects, Option<Request>) {
        let mut effects = Effects::default();
        let mut state = lock(&self.state);
        let Some(slot) = state.slot(key).filter(|slot| matches!(slot.stage, Stage::Running)) else {
            return (effects, None);
        };
        stats.ended(slot.described.op.is_read(), &completion);
        effects.waker = slot.waker.take();
        let bound = slot.bound();
        if let Some(orphan) = slot.orphan.take() {
            let slot = state.slots.remove(key.index());
            effects.rare =
                Some(Box::new(Rare { orphan: Some((orphan, completion, slot.described.fd)), drained: Vec::new() }));
        } else {
            slot.stage = Stage::Done(completion);
        }
        state.admissions[bound as usize].running -= 1;
        self.ended.store(self.ended.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        let next = state.next_waiting(bound, &self.depth);
        effects.idle = state.running() == 0;
        if effects.idle {
            state.look_for_drain(&mut effects);
        }
        (effects, next)
    }

    /// The backend has an operation that had waited: the next one of an ordered class may follow.
    pub(crate) fn submitted(&self, bound: Bound, class: OpClass) {
        if class.is_ordered() {
            lock(&self.state).admissions[bound as usize].submitted();
        }
    }

    /// The next operation of the bound that has room. What ended while an ordered operation was
    /// being submitted has made room that nobody has taken.
    pub(crate) fn admit_next(&self, bound: Bound) -> Option<Request> {
        lock(&self.state).next_waiting(bound, &self.depth)
    }

    /// How many operations that ran have ended. It changes when one does.
    pub(crate) fn ended(&self) -> u32 {
        self.ended.load(Ordering::Acquire)
    }

    /// See [`Completer::is_cancel_asked`](crate::Completer::is_cancel_asked).
    pub(crate) fn is_cancel_asked(&self, key: Key) -> bool {
        lock(&self.state).slot(key).is_none_or(|slot| slot.cancel_asked)
    }

    /// How many cancels of operations that run were asked for. A cancel that finds an operation
    /// running is seen by whoever reads this after the operation was admitted, and before.
    pub(crate) fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Relaxed)
    }

    /// Whether an operation runs although somebody asked for it to be cancelled.
    pub(crate) fn is_running_on_cancel(&self, key: Key) -> bool {
        lock(&self.state).slot(key).is_some_and(|slot| slot.cancel_asked && matches!(slot.stage, Stage::Running))
    }

    /// A running operation's request once more.
    pub(crate) fn reissue(&self, key: Key) -> Option<Request> {
        let mut state = lock(&self.state);
        let slot = state.slot(key).filter(|slot| matches!(slot.stage, Stage::Running))?;
        slot.reissues = slot.reissues.saturating_add(1);
        Some(slot.request(key, self.depth.get()))
    }

    /// How many operations the backend has out.
    pub(crate) fn running(&self) -> usize {
        lock(&self.state).running()
    }

    /// How many operations wait for room.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.state).admissions.iter().map(|admission| admission.waiting).sum()
    }

    /// Lists the keys of the operations that the backend has out.
    pub(crate) fn running_keys(&self, keys: &mut Vec<Key>) {
        keys.clear();
        let state = lock(&self.state);
        let running = state.slots.iter().filter(|(_, slot)| matches!(slot.stage, Stage::Running));
        keys.extend(running.map(|(index, slot)| Key::new(u32::try_from(index).unwrap_or(u32::MAX), slot.generation)));
    }

    /// Refuses new operations from now on, with this error.
    pub(crate) fn close(&self, reason: fn() -> io::Error) {
        lock(&self.state).closed.get_or_insert(reason);
    }

    /// Ends what waits for room, with the error with which new operations are refused. Gives whom
    /// to wake.
    pub(crate) fn refuse_waiting(&self, stats: &Counters) -> (Vec<Waker>, Effects) {
        let mut effects = Effects::default();
        let mut wakers = Vec::new();
        let mut state = lock(&self.state);
        let reason = *state.closed.get_or_insert(error::closed);
        for (_, slot) in &mut state.slots {
            if matches!(slot.stage, Stage::Waiting) {
                slot.stage = Stage::Done(Completion::Done(Err(reason())));
                wakers.extend(slot.waker.take());
                stats.ended(false, &Completion::Cancelled);
            }
        }
        state.admissions.iter_mut().for_each(Admission::clear);
        state.look_for_drain(&mut effects);
        (wakers, effects)
    }

    /// Whether nothing runs and nothing waits; else leaves the waker, under a number that it gives
    /// or is given.
    pub(crate) fn poll_drained(&self, number: &mut Option<u64>, waker: &Waker) -> bool {
        let fresh = waker.clone();
        let mut state = lock(&self.state);
        if state.is_drained() {
            drop(state);
            drop(fresh);
            return true;
        }
        let own = *number.get_or_insert(state.next_drain);
        state.next_drain = state.next_drain.max(own + 1);
        let old = match state.drains.iter_mut().find(|(number, _)| *number == own) {
            Some((_, waker)) => Some(std::mem::replace(waker, fresh)),
            None => {
                state.drains.push((own, fresh));
                None
            }
        };
        drop(state);
        drop(old);
        false
    }

    /// Nobody waits any more under this number.
    pub(crate) fn forget_drained(&self, number: u64) {
        let mut state = lock(&self.state);
        let at = state.drains.iter().position(|(own, _)| *own == number);
        let gone = at.map(|at| state.drains.swap_remove(at));
        drop(state);
        drop(gone);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if state.running() != 0 {
            // A backend has gone without having ended what it was given: something may yet write to
            // that memory.
            std::mem::forget(std::mem::take(&mut state.slots));
        }
    }
}

impl State {
    /// Takes an operation in, unless the table is closed.
    fn enter(&mut self, slot: &mut Option<Slot>) -> io::Result<Key> {
        if let Some(reason) = self.closed {
            return Err(reason());
        }
        let Some(mut slot) = slot.take() else {
            return Err(error::closed());
        };
        self.generation = self.generation.wrapping_add(1);
        slot.generation = self.generation;
        let index = self.slots.insert(slot);
        Ok(Key::new(u32::try_from(index).unwrap_or(u32::MAX), self.generation))
    }

    /// Lets a staged operation run, or wait in its turn.
    fn admit(&mut self, key: Key, depth: &Depth) -> (Admitted, Option<Duration>) {
        let closed = self.closed;
        let Some(slot) = self.slot(key).filter(|slot| matches!(slot.stage, Stage::Staged)) else {
            return (Admitted::Gone(None), None);
        };
        if let Some(reason) = closed {
            slot.stage = Stage::Done(Completion::Done(Err(reason())));
            return (Admitted::Gone(slot.waker.take()), None);
        }
        let (bound, limit) = (slot.bound(), slot.start_clock());
        let admission = &mut self.admissions[bound as usize];
        if !admission.has_room() {
            admission.wait(key);
            if let Some(slot) = self.slot(key) {
                slot.stage = Stage::Waiting;
            }
            return (Admitted::Queued, limit);
        }
        admission.running += 1;
        (self.run(key, depth).map_or(Admitted::Gone(None), Admitted::Run), limit)
    }

    /// The request of an operation that has room now.
    fn run(&mut self, key: Key, depth: &Depth) -> Option<Request> {
        let slot = self.slot(key)?;
        slot.stage = Stage::Running;
        Some(slot.request(key, depth.get()))
    }

    /// Gives room to the operation that has waited longest.
    fn next_waiting(&mut self, bound: Bound, depth: &Depth) -> Option<Request> {
        let slots = &self.slots;
        let key = self.admissions[bound as usize].next(|key| {
            let slot = slots.get(key.index()).filter(|slot| slot.is_waiting(key))?;
            Some(slot.described.class)
        })?;
        self.run(key, depth)
    }

    /// An operation no longer waits.
    fn forget_waiting(&mut self, bound: Bound) {
        let slots = &self.slots;
        self.admissions[bound as usize].forget(|key| slots.get(key.index()).is_some_and(|slot| slot.is_waiting(key)));
    }

    /// The entry of a key that is not stale.
    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        self.slots.get_mut(key.index()).filter(|slot| slot.is(key))
    }

    /// How many operations the backend has out.
    fn running(&self) -> usize {
        self.admissions.iter().map(|admission| admission.running).sum()
    }

    /// Whether nothing runs and nothing waits.
    fn is_drained(&self) -> bool {
        self.admissions.iter().all(|admission| admission.running == 0 && admission.waiting == 0)
    }

    /// Takes those who wait for that out, if it is so.
    fn look_for_drain(&mut self, effects: &mut Effects) {
        if !self.drains.is_empty() && self.is_drained() {
            effects.rare.get_or_insert_default().drained = std::mem::take(&mut self.drains);
        }
    }
}

impl Slot {
    /// How it ended, once it has.
    fn into_ended(self) -> Ended {
        let transfers = self.described.class != OpClass::Sync;
        let completion = match self.stage {
            Stage::Done(completion) => completion,
            Stage::Staged | Stage::Waiting | Stage::Running => Completion::Cancelled,
        };
        Ended { completion, expired: self.expired, timed: self.timed, fd: self.described.fd, transfers }
    }
}
