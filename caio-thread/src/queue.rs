//! What waits for a worker: single operations, lanes of writes, and syncs that share a call.

use caio_core::{Key, Request};
use std::collections::{HashMap, VecDeque};

/// How many emptied queues are kept for the next lane.
const SPARE_QUEUES: usize = 16;

/// What one worker takes at a time.
#[derive(Debug)]
pub(crate) enum Job {
    /// One operation.
    One(Request),
    /// The buffered writes to one file, which contend for its lock: one worker does them in turn.
    Lane(usize),
    /// The syncs of one file: one call serves those that waited when it began.
    Syncs(usize),
}

/// How an operation is to be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By itself.
    Alone,
    /// In its file's lane.
    Lane,
    /// With its file's syncs.
    Sync,
}

/// Everything that waits for a worker. An entry of a map is there exactly while its job is ready or with a worker.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// What a worker can take now, first come first.
    ready: VecDeque<Job>,
    /// The lanes by [`SharedFd::id`](caio_core::SharedFd::id); their requests keep the number theirs.
    lanes: HashMap<usize, VecDeque<Request>>,
    /// The syncs by [`SharedFd::id`](caio_core::SharedFd::id).
    syncs: HashMap<usize, VecDeque<Request>>,
    /// Emptied queues, so that a lane that comes and goes allocates nothing.
    spare: Vec<VecDeque<Request>>,
}

impl Queue {
    /// Queues an operation. Whoever puts an entry in a map makes its job ready.
    pub(crate) fn push(&mut self, request: Request, kind: Kind) {
        let id = request.fd().id();
        let (map, job) = match kind {
            Kind::Alone => return self.ready.push_back(Job::One(request)),
            Kind::Lane => (&mut self.lanes, Job::Lane(id)),
            Kind::Sync => (&mut self.syncs, Job::Syncs(id)),
        };
        let queue = map.entry(id).or_insert_with(|| {
            self.ready.push_back(job);
            self.spare.pop().unwrap_or_default()
        });
        queue.push_back(request);
    }

    /// How many jobs are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes the job that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<Job> {
        self.ready.pop_front()
    }

    /// The next write of a lane that the caller has taken; `None` if it is done, and gone.
    pub(crate) fn pop_lane(&mut self, id: usize) -> Option<Request> {
        let request = self.lanes.get_mut(&id)?.pop_front();
        if request.is_none() {
            self.end_lane(id);
        }
        request
    }

    /// Gives up a lane that the caller has taken, if nothing waits there. Says whether it is gone.
    pub(crate) fn end_lane(&mut self, id: usize) -> bool {
        let done = self.lanes.get(&id).is_none_or(VecDeque::is_empty);
        if done {
            let emptied = self.lanes.remove(&id);
            self.keep(emptied);
        }
        done
    }

    /// Lets another job go before the rest of a lane that the caller has taken.
    pub(crate) fn yield_lane(&mut self, id: usize) {
        if self.lanes.contains_key(&id) {
            self.ready.push_back(Job::Lane(id));
        }
    }

    /// Takes all syncs of a file that the caller has taken. None at all: they were cancelled, and the job is done.
    pub(crate) fn take_syncs(&mut self, id: usize, into: &mut VecDeque<Request>) {
        if let Some(waiting) = self.syncs.get_mut(&id) {
            std::mem::swap(waiting, into);
        }
    }

    /// A call is over: those that came meanwhile get another.
    pub(crate) fn end_syncs(&mut self, id: usize) {
        match self.syncs.get(&id) {
            Some(waiting) if waiting.is_empty() => {
                let emptied = self.syncs.remove(&id);
                self.keep(emptied);
            }
            Some(_) => self.ready.push_back(Job::Syncs(id)),
            None => {}
        }
    }

    /// Takes an operation out that no worker has taken.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Request> {
        let single = self.ready.iter().position(|job| matches!(job, Job::One(request) if request.key() == key));
        if let Some(Job::One(request)) = single.and_then(|at| self.ready.remove(at)) {
            return Some(request);
        }
        let mut queues = self.lanes.values_mut().chain(self.syncs.values_mut());
        queues.find_map(|queue| queue.iter().position(|request| request.key() == key).and_then(|at| queue.remove(at)))
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Vec<Request> {
        let mut all = Vec::new();
        for job in self.ready.drain(..) {
            match job {
                Job::One(request) => all.push(request),
                Job::Lane(_) | Job::Syncs(_) => {}
            }
        }
        let queues = self.lanes.drain().chain(self.syncs.drain());
        queues.for_each(|(_, queue)| all.extend(queue));
        all
    }

    /// Keeps an emptied queue for the next lane.
    fn keep(&mut self, emptied: Option<VecDeque<Request>>) {
        if self.spare.len() < SPARE_QUEUES {
            self.spare.extend(emptied);
        }
    }
}
