//! What waits for a worker: single operations, lanes, and syncs that share a call.

use crate::requests::{Order, Requests};
use crate::routes::{Lane, Route};
use caio_core::{Key, Request};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How many emptied orders are kept for the next lane.
const MAX_SPARE: usize = 16;

/// What one worker takes at a time.
#[derive(Debug)]
pub(crate) enum Job {
    /// One operation.
    One(Request),
    /// The operations of a lane, one after the other.
    Lane(Lane),
    /// The syncs of one file: one call serves those that waited when it began.
    Syncs(usize),
}

/// A job that is ready.
#[derive(Debug)]
enum Ready {
    /// See [`Job::One`]. Its request may have gone.
    One(Key),
    /// See [`Job::Lane`].
    Lane(Lane),
    /// See [`Job::Syncs`].
    Syncs(usize),
}

/// Everything that waits for a worker.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The operations, those included that workers carry out.
    requests: Requests,
    /// The jobs that a worker can take now, first come first.
    ready: VecDeque<Ready>,
    /// How many of these were cancelled.
    stale: usize,
    /// The lanes. One is there exactly while its job is ready or with a worker; its requests keep the file's number theirs.
    lanes: HashMap<Lane, Order>,
    /// The syncs by file, likewise.
    syncs: HashMap<usize, Order>,
    /// Emptied orders, so that a lane that comes and goes allocates nothing.
    spare: Vec<Order>,
}

impl Queue {
    /// Queues an operation. What waits is not queued, but for a call that only a worker can make.
    pub(crate) fn push(&mut self, request: Request, route: Route) {
        let key = request.key();
        self.requests.insert(request);
        match route {
            Route::Alone | Route::Waits => self.ready.push_back(Ready::One(key)),
            Route::Lane(lane) => {
                let begin = || self.ready.push_back(Ready::Lane(lane));
                join(&mut self.lanes, lane, &mut self.spare, begin).push_back(key);
            }
            Route::Syncs(file) => {
                let begin = || self.ready.push_back(Ready::Syncs(file));
                join(&mut self.syncs, file, &mut self.spare, begin).push_back(key);
            }
        }
    }

    /// How many jobs are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len() - self.stale
    }

    /// Takes the job that has waited longest. A single operation runs until [`end`](Self::end).
    pub(crate) fn pop(&mut self) -> Option<Job> {
        loop {
            match self.ready.pop_front()? {
                Ready::One(key) => match self.requests.start(key) {
                    Some(request) => return Some(Job::One(request)),
                    None => self.stale -= 1,
                },
                Ready::Lane(lane) => return Some(Job::Lane(lane)),
                Ready::Syncs(file) => return Some(Job::Syncs(file)),
            }
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

    /// The next operation of a lane that the caller has taken; `None` if there is none, and the lane is gone.
    pub(crate) fn pop_lane(&mut self, lane: Lane) -> Option<Request> {
        let request = self.lanes.get_mut(&lane)?.pop(|key| self.requests.start(key));
        if request.is_none() {
            self.end_lane(lane);
        }
        request
    }

    /// Gives up a lane that the caller has taken, if nothing waits there. Says whether it is gone.
    pub(crate) fn end_lane(&mut self, lane: Lane) -> bool {
        let done = self.lanes.get(&lane).is_none_or(Order::is_empty);
        if done {
            let emptied = self.lanes.remove(&lane);
            self.keep(emptied);
        }
        done
    }

    /// Lets another job go before the rest of a lane that the caller has taken.
    pub(crate) fn yield_lane(&mut self, lane: Lane) {
        if self.lanes.contains_key(&lane) {
            self.ready.push_back(Ready::Lane(lane));
        }
    }

    /// Takes all syncs of a file that the caller has taken. None at all: they were cancelled.
    pub(crate) fn take_syncs(&mut self, file: usize, into: &mut VecDeque<Request>) {
        if let Some(order) = self.syncs.get_mut(&file) {
            into.extend(std::iter::from_fn(|| order.pop(|key| self.requests.start(key))));
        }
    }

    /// A call is over: syncs that came meanwhile get another.
    pub(crate) fn end_syncs(&mut self, file: usize) {
        match self.syncs.get(&file) {
            Some(order) if order.is_empty() => {
                let emptied = self.syncs.remove(&file);
                self.keep(emptied);
            }
            Some(_) => self.ready.push_back(Ready::Syncs(file)),
            None => {}
        }
    }

    /// Takes an operation out that no worker has taken.
    pub(crate) fn cancel(&mut self, key: Key, route: impl FnOnce(&Request) -> Route) -> Option<Request> {
        let request = self.requests.take(key)?;
        match route(&request) {
            Route::Alone | Route::Waits => self.sweep(),
            Route::Lane(lane) => self.lanes.get_mut(&lane).into_iter().for_each(|order| order.left(&self.requests)),
            Route::Syncs(file) => self.syncs.get_mut(&file).into_iter().for_each(|order| order.left(&self.requests)),
        }
        Some(request)
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Vec<Request> {
        self.ready.clear();
        self.stale = 0;
        self.lanes.clear();
        self.syncs.clear();
        self.requests.drain()
    }

    /// One more ready job was cancelled: removes such jobs when they are more than half of all.
    fn sweep(&mut self) {
        self.stale += 1;
        if self.stale * 2 > self.ready.len() {
            let requests = &self.requests;
            self.ready.retain(|job| !matches!(job, Ready::One(key) if !requests.is_waiting(*key)));
            self.stale = 0;
        }
    }

    /// Keeps an emptied order for the next lane.
    fn keep(&mut self, emptied: Option<Order>) {
        if let Some(mut order) = emptied.filter(|_| self.spare.len() < MAX_SPARE) {
            order.clear();
            self.spare.push(order);
        }
    }
}

/// The order of those that share a job. Whoever comes first makes the job ready, by `begin`.
fn join<'a, K: Eq + Hash>(
    orders: &'a mut HashMap<K, Order>,
    key: K,
    spare: &mut Vec<Order>,
    begin: impl FnOnce(),
) -> &'a mut Order {
    orders.entry(key).or_insert_with(|| {
        begin();
        spare.pop().unwrap_or_default()
    })
}
