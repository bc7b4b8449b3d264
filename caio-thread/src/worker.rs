//! One worker: takes work, carries it out, and sleeps when there is none.

use crate::queue::Job;
use crate::routes::Lane;
use crate::shared::{Searcher, Shared, State, copy};
use caio_core::policy::MAX_BUSY;
use caio_core::{Op, OpClass, Request};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

/// How many operations of a lane are carried out before other work has its turn.
const LANE_TURN: usize = 64;
/// How many times a search looks between two looks at the clock, and at whether another thread
/// wants the core.
const LOOKS: u32 = 32;

/// A worker, from its first look for work until it ends.
pub(crate) fn run(shared: &Arc<Shared>) {
    shared.lock().starting -= 1;
    let mut syncs = VecDeque::new();
    let mut announced = false;
    while let Some(job) = next(shared, announced) {
        announced = match job {
            Job::One(request) => perform(shared, request),
            Job::Lane(lane @ Lane::Syncs(_)) => sync(shared, lane, &mut syncs),
            Job::Lane(lane) => drain_lane(shared, lane),
        }
    }
}

/// Before a worker delivers, which will make somebody submit more: says that it is going to search
/// for it, if searching pays off.
fn announce(state: &mut State) -> bool {
    let announced = state.queue.ready() == 0 && state.may_search();
    if announced {
        state.searcher = Searcher::Returning;
    }
    announced
}

/// The next job; `None` if the worker is to end, and is no longer counted.
fn next(shared: &Shared, announced: bool) -> Option<Job<Request>> {
    let mut state = shared.lock();
    let mut searched = false;
    if announced {
        state.end_return();
    }
    loop {
        if let Some(job) = state.queue.pop() {
            shared.publish(&state);
            return Some(job);
        }
        if state.stopped {
            state.workers -= 1;
            return None;
        }
        if !searched && state.searcher == Searcher::None && (announced || state.may_search()) {
            searched = true;
            state = search(shared, state);
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

/// Searches for work for a moment without sleeping; nobody needs to wake us meanwhile.
fn search<'a>(shared: &'a Shared, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    state.searcher = Searcher::Searching;
    drop(state);
    spin(&shared.ready);
    let mut state = shared.lock();
    state.end_search();
    state
}

/// Waits until a counter is not zero, but not for long.
fn spin(counter: &AtomicUsize) {
    let until = Instant::now() + MAX_BUSY;
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

/// Carries out one operation. Says whether the worker has announced that it is going to search for
/// more.
fn perform(shared: &Arc<Shared>, request: Request) -> bool {
    let key = request.key();
    if request.class() == OpClass::Stream {
        // It is not the queue's any more: it may have to wait once more.
        shared.lock().queue.end(key);
        shared.waits.perform(shared, request);
        return false;
    }
    let finished = shared.syscalls.perform(request);
    let mut state = shared.lock();
    state.queue.end(key);
    let announced = announce(&mut state);
    drop(state);
    shared.finish(finished);
    announced
}

/// Carries out the operations of a lane in turn. Says whether the worker has announced that it is
/// going to search for more.
fn drain_lane(shared: &Shared, lane: Lane) -> bool {
    let mut state = shared.lock();
    for turn in 1.. {
        let Some(request) = state.queue.pop_lane(lane) else {
            state.queue.end_lane(lane);
            return false;
        };
        let key = request.key();
        drop(state);
        let finished = shared.syscalls.perform(request);
        state = shared.lock();
        state.queue.end(key);
        let done = state.queue.end_lane(lane) || turn == LANE_TURN;
        if turn == LANE_TURN {
            state.queue.yield_lane(lane);
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

/// Serves all syncs of a file that wait now with one call. Says whether the worker has announced
/// that it is going to search for more.
fn sync(shared: &Shared, lane: Lane, batch: &mut VecDeque<Request>) -> bool {
    let mut state = shared.lock();
    batch.extend(std::iter::from_fn(|| state.queue.pop_lane(lane)));
    drop(state);
    let data_only = batch.iter().all(|request| matches!(request.op(), Op::Fdatasync));
    let result = match batch.front() {
        Some(request) => {
            shared.syncs.fetch_add(1, Ordering::Relaxed);
            shared.syscalls.sync(request.fd(), data_only)
        }
        None => Ok(()),
    };
    let mut state = shared.lock();
    batch.iter().for_each(|request| state.queue.end(request.key()));
    if !state.queue.end_lane(lane) {
        // Those that came meanwhile get another call.
        state.queue.yield_lane(lane);
        shared.publish(&state);
    }
    let announced = announce(&mut state);
    drop(state);
    for request in batch.drain(..) {
        let result = result.as_ref().map(|()| 0).map_err(copy);
        shared.finish(request.finish(result));
    }
    announced
}
