//! One worker: takes work, carries it out, and sleeps when there is none.

use crate::patience;
use crate::pool::{Shared, Spinner, State, copy};
use crate::queue::Job;
use caio_core::{Key, Op, Request};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

/// How many writes of a lane are carried out before other work has its turn.
const LANE_TURN: usize = 64;

/// A worker, from its first look for work until it ends.
pub(crate) fn run(shared: &Arc<Shared>) {
    shared.lock().starting -= 1;
    let mut syncs = VecDeque::new();
    let mut announced = false;
    while let Some(job) = next(shared, announced) {
        announced = match job {
            Job::One(request) => {
                let key = request.key();
                let finished = shared.carrier.perform(request);
                let mut state = shared.lock();
                forget(&mut state, key);
                let announced = announce(&mut state);
                drop(state);
                shared.finish(finished);
                announced
            }
            Job::Lane(id) => drain_lane(shared, id),
            Job::Syncs(id) => sync(shared, id, &mut syncs),
        }
    }
}

/// Before a worker delivers, which will make somebody submit more: says that it is going to look for it, if waiting pays off.
fn announce(state: &mut State) -> bool {
    let announced = state.queue.ready() == 0 && state.spinner == Spinner::None && state.patience.is_worthwhile();
    if announced {
        state.spinner = Spinner::Returning;
    }
    announced
}

/// The next job; `None` if the worker is to end, and is no longer counted.
fn next(shared: &Shared, announced: bool) -> Option<Job> {
    let mut state = shared.lock();
    let mut waited = false;
    if announced {
        state.spinner = Spinner::None;
        if state.queue.ready() != 0 {
            state.patience.learn(true);
        }
    }
    loop {
        if let Some(job) = state.queue.pop() {
            shared.publish(&state);
            if let Job::One(request) = &job {
                state.running.push(request.key());
            }
            return Some(job);
        }
        if state.stopped {
            state.workers -= 1;
            return None;
        }
        if !waited && state.spinner == Spinner::None && (announced || state.patience.is_worthwhile()) {
            waited = true;
            state = wait(shared, state);
            continue;
        }
        let (slept, woken) = sleep(shared, state);
        state = slept;
        if !woken {
            state.workers -= 1;
            return None;
        }
    }
}

/// Looks for work for a moment without sleeping; nobody needs to wake us meanwhile.
fn wait<'a>(shared: &'a Shared, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    state.spinner = Spinner::Looking;
    drop(state);
    patience::spin(&shared.ready);
    let mut state = shared.lock();
    state.spinner = Spinner::None;
    let paid_off = state.queue.ready() != 0;
    state.patience.learn(paid_off);
    state
}

/// Sleeps until somebody wakes a worker (`true`), or there was nothing for too long (`false`).
fn sleep<'a>(shared: &'a Shared, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
    let until = Instant::now().checked_add(shared.settings.linger);
    state.asleep += 1;
    loop {
        state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(left) => shared.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
        };
        if state.woken > 0 {
            state.woken -= 1;
            return (state, true);
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            state.asleep -= 1;
            return (state, false);
        }
    }
}

/// Carries out the writes of a lane in turn. Says whether the worker has announced that it is going to look for more.
fn drain_lane(shared: &Shared, id: usize) -> bool {
    let mut state = shared.lock();
    for turn in 1.. {
        let Some(request) = state.queue.pop_lane(id) else {
            return false;
        };
        let key = request.key();
        state.running.push(key);
        drop(state);
        let finished = shared.carrier.perform(request);
        state = shared.lock();
        forget(&mut state, key);
        let done = state.queue.end_lane(id) || turn == LANE_TURN;
        if turn == LANE_TURN {
            state.queue.yield_lane(id);
            shared.publish(&state);
        }
        let announced = done && announce(&mut state);
        drop(state);
        shared.finish(finished);
        if done {
            return announced;
        }
        state = shared.lock();
    }
    false
}

/// Serves all syncs of a file that wait now with one call. Says whether the worker has announced that it is going to look for more.
fn sync(shared: &Shared, id: usize, batch: &mut VecDeque<Request>) -> bool {
    let mut state = shared.lock();
    state.queue.take_syncs(id, batch);
    state.running.extend(batch.iter().map(Request::key));
    drop(state);
    let data_only = batch.iter().all(|request| matches!(request.op(), Op::Fdatasync));
    let result = match batch.front() {
        Some(request) => {
            shared.syncs.fetch_add(1, Ordering::Relaxed);
            shared.carrier.sync(request.fd(), data_only)
        }
        None => Ok(()),
    };
    let mut state = shared.lock();
    batch.iter().for_each(|request| forget(&mut state, request.key()));
    state.queue.end_syncs(id);
    shared.publish(&state);
    let announced = announce(&mut state);
    drop(state);
    for request in batch.drain(..) {
        let result = result.as_ref().map(|()| 0).map_err(copy);
        shared.finish(request.finish(result));
    }
    announced
}

/// An operation is no longer being carried out.
fn forget(state: &mut State, key: Key) {
    if let Some(at) = state.running.iter().position(|running| *running == key) {
        state.running.swap_remove(at);
    }
}
