//! The operations in flight: who waits for room, who runs, who has ended, and whom to wake.

mod answers;
mod slot;

pub(crate) use answers::{CancelStep, Detached, Effects, Ended, Look, Released};
use slot::{Slot, Stage};

use crate::completer::Completion;
use crate::key::Key;
use crate::op::{IoPriority, Op};
use crate::payload::Orphan;
use crate::request::Request;
use crate::stats::Counters;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, lock};
use crate::{SharedFd, error};
use event_listener::{Event, EventListener};
use slab::Slab;
use std::collections::VecDeque;
use std::task::Waker;

/// How many stale entries the queue may hold before it is swept.
const STALE_ENTRIES: usize = 64;

/// All operations of one context.
///
/// At most `limit` of them run; the others wait in the order in which they came. An entry stays until its future has
/// taken the result; room is given back as soon as the operation has ended.
#[derive(Debug)]
pub(crate) struct Table {
    /// What the lock guards. No user code runs, nothing wakes and nothing blocks under it.
    state: Mutex<State>,
    /// Notified when nothing runs and nothing waits.
    drained: Event,
    /// How many cancels of operations that run were asked for.
    cancels: AtomicU64,
    /// How many operations that ran have ended; written under the lock.
    ended: AtomicU32,
}

/// What the lock guards.
#[derive(Debug)]
struct State {
    /// The entries by place.
    slots: Slab<Slot>,
    /// The generation of the next entry.
    generation: u32,
    /// How many operations the backend has out.
    running: usize,
    /// How many operations wait for room.
    waiting: usize,
    /// Those that wait, first come first; entries whose operation has gone are stale.
    queue: VecDeque<Key>,
    /// How many operations may run.
    limit: usize,
    /// Whether new operations are refused.
    closed: bool,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(limit: usize) -> Self {
        let state = State {
            slots: Slab::new(),
            generation: 0,
            running: 0,
            waiting: 0,
            queue: VecDeque::new(),
            limit,
            closed: false,
        };
        Self { state: Mutex::new(state), drained: Event::new(), cancels: AtomicU64::new(0), ended: AtomicU32::new(0) }
    }

    /// Sets the bound, before the first operation.
    pub(crate) fn set_limit(&self, limit: usize) {
        lock(&self.state).limit = limit;
    }

    /// Enters an operation that does not run yet. `None` if the table is closed.
    pub(crate) fn stage(&self, op: Op, fd: SharedFd, priority: Option<IoPriority>) -> Option<Key> {
        // What is not entered is dropped after the guard, which is younger.
        let mut slot = Some(Slot::new(op, fd, priority, None));
        let mut state = lock(&self.state);
        state.enter(&mut slot)
    }

    /// Enters an operation and lets it run, or wait in its turn. `None` if the table is closed.
    pub(crate) fn start(
        &self,
        op: Op,
        fd: SharedFd,
        priority: Option<IoPriority>,
        waker: Option<Waker>,
    ) -> Option<(Key, Released)> {
        let mut slot = Some(Slot::new(op, fd, priority, waker));
        let mut state = lock(&self.state);
        let key = state.enter(&mut slot)?;
        Some((key, state.release(key)))
    }

    /// Lets a staged operation run, or wait in its turn.
    pub(crate) fn release(&self, key: Key) -> Released {
        lock(&self.state).release(key)
    }

    /// Says how urgent a staged operation is.
    pub(crate) fn set_priority(&self, key: Key, priority: IoPriority) {
        if let Some(slot) = lock(&self.state).slot(key).filter(|slot| matches!(slot.stage, Stage::Staged)) {
            slot.priority = Some(priority);
        }
    }

    /// Looks for the result, and leaves the waker if there is none yet. Cloning or dropping a waker is user code, and
    /// is done without the lock.
    pub(crate) fn look(&self, key: Key, waker: &Waker) -> Look {
        let mut fresh = None;
        loop {
            let mut state = lock(&self.state);
            let Some(slot) = state.slot(key) else {
                return Look::Pending;
            };
            if matches!(slot.stage, Stage::Done(_)) {
                let slot = state.slots.remove(key.index());
                drop(state);
                let Slot { op, stage, fd, expired, .. } = slot;
                let completion = match stage {
                    Stage::Done(completion) => completion,
                    Stage::Staged | Stage::Waiting | Stage::Running => Completion::Cancelled,
                };
                return Look::Done { completion, expired, fd, transfers: !op.is_sync() };
            }
            if slot.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
                return Look::Pending;
            }
            if fresh.is_some() {
                let old = std::mem::replace(&mut slot.waker, fresh);
                drop(state);
                drop(old);
                return Look::Pending;
            }
            drop(state);
            fresh = Some(waker.clone());
        }
    }

    /// Whether the operation's time is up although it has not ended.
    pub(crate) fn is_expired(&self, key: Key) -> bool {
        lock(&self.state).slot(key).is_some_and(|slot| slot.expired && !matches!(slot.stage, Stage::Done(_)))
    }

    /// A future is dropped: takes the entry away if the backend does not have it.
    pub(crate) fn detach(&self, key: Key) -> Detached {
        let mut state = lock(&self.state);
        let Some(slot) = state.slot(key) else {
            return Detached::Unstarted;
        };
        match slot.stage {
            Stage::Running => return Detached::Running,
            Stage::Staged | Stage::Done(_) => {}
            Stage::Waiting => state.forget_waiting(),
        }
        let slot = state.slots.remove(key.index());
        let drained = state.is_idle();
        drop(state);
        if drained {
            self.drained.notify(usize::MAX);
        }
        let Slot { stage, fd, waker, .. } = slot;
        drop((fd, waker));
        match stage {
            Stage::Done(completion) => Detached::Ended(completion),
            Stage::Waiting => Detached::Waited,
            Stage::Staged | Stage::Running => Detached::Unstarted,
        }
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

    /// Leaves the memory of a dropped future with the entry until the backend is done. Gives it back if that has
    /// happened meanwhile. Says whether the operation only read, so that nobody will miss it.
    pub(crate) fn abandon(&self, key: Key, orphan: Box<dyn Orphan>) -> Result<bool, (Box<dyn Orphan>, Completion)> {
        let mut state = lock(&self.state);
        let Some(slot) = state.slot(key) else {
            drop(state);
            return Err((orphan, Completion::Cancelled));
        };
        if matches!(slot.stage, Stage::Running) {
            slot.orphan = Some(orphan);
            let waker = slot.waker.take();
            let read = slot.op.is_read();
            drop(state);
            drop(waker);
            return Ok(read);
        }
        let slot = state.slots.remove(key.index());
        drop(state);
        match slot.stage {
            Stage::Done(completion) => Err((orphan, completion)),
            Stage::Staged | Stage::Waiting | Stage::Running => Err((orphan, Completion::Cancelled)),
        }
    }

    /// Somebody wants the operation to end, or (`expired`) its time is up.
    pub(crate) fn cancel(&self, key: Key, expired: bool, stats: &Counters) -> CancelStep {
        let mut state = lock(&self.state);
        let Some(slot) = state.slot(key) else {
            return CancelStep::Nothing;
        };
        slot.expired |= expired;
        slot.cancel_asked = true;
        match slot.stage {
            Stage::Done(_) => CancelStep::Nothing,
            Stage::Running => {
                self.cancels.fetch_add(1, Ordering::Relaxed);
                let waker = if expired { slot.waker.take() } else { None };
                CancelStep::AskBackend(waker)
            }
            Stage::Staged | Stage::Waiting => {
                let waited = matches!(slot.stage, Stage::Waiting);
                slot.stage = Stage::Done(Completion::Cancelled);
                let waker = slot.waker.take();
                if waited {
                    stats.cancelled();
                    state.forget_waiting();
                }
                let drained = state.is_idle();
                drop(state);
                if drained {
                    self.drained.notify(usize::MAX);
                }
                CancelStep::Ended(waker)
            }
        }
    }

    /// The backend is done with an operation. It is counted before anybody can see that it has ended.
    pub(crate) fn complete(&self, key: Key, completion: Completion, stats: &Counters) -> Effects {
        let mut state = lock(&self.state);
        let mut effects = Effects::default();
        let Some(slot) = state.slot(key) else {
            return effects;
        };
        if !matches!(slot.stage, Stage::Running) {
            return effects;
        }
        stats.ended(slot.ended(&completion));
        effects.waker = slot.waker.take();
        if let Some(orphan) = slot.orphan.take() {
            let slot = state.slots.remove(key.index());
            effects.orphan = Some((orphan, completion, slot.fd));
        } else {
            slot.stage = Stage::Done(completion);
        }
        state.running -= 1;
        self.ended.store(self.ended.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        effects.next = state.next_waiting();
        let drained = state.is_idle();
        drop(state);
        if drained {
            self.drained.notify(usize::MAX);
        }
        effects
    }

    /// How many operations that ran have ended. It changes when one does.
    pub(crate) fn ended(&self) -> u32 {
        self.ended.load(Ordering::Acquire)
    }

    /// See [`Completer::is_cancel_asked`](crate::Completer::is_cancel_asked).
    pub(crate) fn is_cancel_asked(&self, key: Key) -> bool {
        lock(&self.state).slot(key).is_none_or(|slot| slot.cancel_asked)
    }

    /// How many cancels of operations that run were asked for. A cancel that finds an operation running is seen by whoever reads this
    /// after it, and before, entering that operation.
    pub(crate) fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Relaxed)
    }

    /// Whether an operation runs although somebody asked for it to be cancelled.
    pub(crate) fn is_running_on_cancel(&self, key: Key) -> bool {
        lock(&self.state).slot(key).is_some_and(|slot| slot.cancel_asked && matches!(slot.stage, Stage::Running))
    }

    /// A running operation's request once more.
    pub(crate) fn again(&self, key: Key) -> Option<Request> {
        let mut state = lock(&self.state);
        let slot = state.slot(key)?;
        matches!(slot.stage, Stage::Running).then(|| slot.request(key))
    }

    /// How many operations the backend has out.
    pub(crate) fn running(&self) -> usize {
        lock(&self.state).running
    }

    /// How many operations wait for room.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.state).waiting
    }

    /// Lists the keys of the operations that the backend has out.
    pub(crate) fn running_keys(&self, keys: &mut Vec<Key>) {
        keys.clear();
        let state = lock(&self.state);
        let running = state.slots.iter().filter(|(_, slot)| matches!(slot.stage, Stage::Running));
        keys.extend(running.map(|(index, slot)| Key::new(u32::try_from(index).unwrap_or(u32::MAX), slot.generation)));
    }

    /// Refuses new operations from now on.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
    }

    /// A listener for the moment when nothing runs and nothing waits; `None` if that is now.
    pub(crate) fn listen_drained(&self) -> Option<EventListener> {
        if lock(&self.state).is_idle() {
            return None;
        }
        let listener = self.drained.listen();
        (!lock(&self.state).is_idle()).then_some(listener)
    }
}

impl State {
    /// Takes an operation in, unless the table is closed.
    fn enter(&mut self, slot: &mut Option<Slot>) -> Option<Key> {
        if self.closed {
            return None;
        }
        let mut slot = slot.take()?;
        self.generation = self.generation.wrapping_add(1);
        slot.generation = self.generation;
        let index = self.slots.insert(slot);
        Some(Key::new(u32::try_from(index).unwrap_or(u32::MAX), self.generation))
    }

    /// Lets a staged operation run, or wait in its turn.
    fn release(&mut self, key: Key) -> Released {
        let room = self.running < self.limit && self.waiting == 0;
        let closed = self.closed;
        let Some(slot) = self.slot(key).filter(|slot| matches!(slot.stage, Stage::Staged)) else {
            return Released::Not;
        };
        if closed {
            slot.stage = Stage::Done(Completion::Done(Err(error::closed())));
            return Released::Refused(slot.waker.take());
        }
        if room {
            slot.stage = Stage::Running;
            let request = slot.request(key);
            self.running += 1;
            return Released::Run(request);
        }
        slot.stage = Stage::Waiting;
        self.waiting += 1;
        self.queue.push_back(key);
        Released::Wait
    }

    /// The entry of a key that is not stale.
    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        self.slots.get_mut(key.index()).filter(|slot| Key::new(key.index() as u32, slot.generation) == key)
    }

    /// Whether nothing runs and nothing waits.
    fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting == 0
    }

    /// An operation no longer waits; its entry in the queue becomes stale, and stale ones are swept before they pile up.
    fn forget_waiting(&mut self) {
        self.waiting -= 1;
        if self.queue.len() > 2 * self.waiting + STALE_ENTRIES {
            let slots = &self.slots;
            self.queue.retain(|key| slots.get(key.index()).is_some_and(|slot| slot.is_waiting(*key)));
        }
    }

    /// Gives room to the operation that has waited longest.
    fn next_waiting(&mut self) -> Option<Request> {
        while self.running < self.limit {
            let key = self.queue.pop_front()?;
            let Some(slot) = self.slot(key).filter(|slot| slot.is_waiting(key)) else {
                continue;
            };
            slot.stage = Stage::Running;
            let request = slot.request(key);
            self.waiting -= 1;
            self.running += 1;
            return Some(request);
        }
        None
    }
}
