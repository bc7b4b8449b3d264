//! What waits for a worker: single operations, and lanes of those that belong together.

use crate::requests::{Order, Requests};
use crate::routes::{Lane, Route};
use caio_core::{Key, Request};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// How many emptied orders are kept for the next lane.
const MAX_SPARE: usize = 16;

/// What one worker takes at a time.
#[derive(Debug)]
pub(crate) enum Job<T> {
    /// One operation: its request, or its key while it waits.
    One(T),
    /// The operations of a lane.
    Lane(Lane),
}

/// Everything that waits for a worker.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The operations, those included that workers carry out.
    requests: Requests,
    /// The jobs that a worker can take now, first come first. The request of one may have gone.
    ready: VecDeque<Job<Key>>,
    /// How many requests of these have gone.
    stale: usize,
    /// The lanes. One is there exactly while its job is ready or with a worker; its requests keep
    /// the file's number theirs.
    lanes: FxHashMap<Lane, Order>,
    /// Emptied orders, so that a lane that comes and goes allocates nothing.
    spare: Vec<Order>,
}

impl Queue {
    /// Queues an operation. What waits is queued only for a call that a worker has to make.
    pub(crate) fn push(&mut self, request: Request, route: Route) {
        let key = request.key();
        self.requests.insert(request);
        match route {
            Route::Alone | Route::Waits => self.ready.push_back(Job::One(key)),
            Route::Lane(lane) => {
                let order = self.lanes.entry(lane).or_insert_with(|| {
                    self.ready.push_back(Job::Lane(lane));
                    self.spare.pop().unwrap_or_default()
                });
                order.push_back(key);
            }
        }
    }

    /// How many jobs are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len() - self.stale
    }

    /// Takes the job that has waited longest. A single operation runs until [`end`](Self::end).
    pub(crate) fn pop(&mut self) -> Option<Job<Request>> {
        loop {
            match self.ready.pop_front()? {
                Job::Lane(lane) => return Some(Job::Lane(lane)),
                Job::One(key) => match self.requests.start(key) {
                    Some(request) => return Some(Job::One(request)),
                    None => self.stale -= 1,
                },
            }
        }
    }

    /// The next operation of a lane that the caller has taken, which runs until [`end`](Self::end).
    pub(crate) fn pop_lane(&mut self, lane: Lane) -> Option<Request> {
        self.lanes.get_mut(&lane)?.pop(|key| self.requests.start(key))
    }

    /// Gives up a lane that the caller has taken, if nothing waits there. Says whether it is gone.
    pub(crate) fn end_lane(&mut self, lane: Lane) -> bool {
        let done = self.lanes.get(&lane).is_none_or(Order::is_empty);
        if done {
            let emptied = self.lanes.remove(&lane).filter(|_| self.spare.len() < MAX_SPARE);
            self.spare.extend(emptied.map(Order::cleared));
        }
        done
    }

    /// Lets another job go before the rest of a lane that the caller has taken.
    pub(crate) fn yield_lane(&mut self, lane: Lane) {
        if self.lanes.contains_key(&lane) {
            self.ready.push_back(Job::Lane(lane));
        }
    }

    /// An operation is not being carried out any more.
    pub(crate) fn end(&mut self, key: Key) {
        self.requests.end(key);
    }

    /// Whether a worker carries an operation out.
    pub(crate) fn is_running(&self, key: Key) -> bool {
        self.requests.is_running(key)
    }

    /// Takes an operation out that no worker has taken.
    pub(crate) fn cancel(&mut self, key: Key, route: impl FnOnce(&Request) -> Route) -> Option<Request> {
        let request = self.requests.take(key)?;
        match route(&request) {
            Route::Alone | Route::Waits => self.sweep(),
            Route::Lane(lane) => self.lanes.get_mut(&lane).into_iter().for_each(|order| order.left(&self.requests)),
        }
        Some(request)
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Vec<Request> {
        self.ready.clear();
        self.stale = 0;
        self.lanes.clear();
        self.requests.drain()
    }

    /// One more ready job has lost its request: removes such jobs when they are more than half of
    /// all.
    fn sweep(&mut self) {
        self.stale += 1;
        if self.stale * 2 > self.ready.len() {
            let requests = &self.requests;
            self.ready.retain(|job| !matches!(job, Job::One(key) if !requests.is_waiting(*key)));
            self.stale = 0;
        }
    }
}
