//! Requests that wait for their turn: found by key, served in order.

use caio_core::{Key, Request};
use std::collections::VecDeque;

/// How many keys of requests that have left a queue may hold, whatever its length.
const MAX_STALE: usize = 32;

/// Requests by key. Each is put in, found and taken out in constant time.
#[derive(Debug, Default)]
pub(crate) struct Requests(Vec<Place>);

/// The place of a key's index.
#[derive(Debug, Default)]
enum Place {
    /// Nobody has it.
    #[default]
    Empty,
    /// Its request waits.
    Waiting(Request),
    /// A worker has its request.
    Running(Key),
}

impl Requests {
    /// Puts a request in.
    pub(crate) fn insert(&mut self, request: Request) {
        let index = request.key().index();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, Place::default);
        }
        self.0[index] = Place::Waiting(request);
    }

    /// Takes a request out.
    pub(crate) fn take(&mut self, key: Key) -> Option<Request> {
        self.replace(key, Place::Empty)
    }

    /// Takes a request out, which is running until [`end`](Self::end).
    pub(crate) fn start(&mut self, key: Key) -> Option<Request> {
        self.replace(key, Place::Running(key))
    }

    /// A request is not running any more.
    pub(crate) fn end(&mut self, key: Key) {
        if self.is_running(key) {
            self.0[key.index()] = Place::Empty;
        }
    }

    /// Whether a request was started and has not ended.
    pub(crate) fn is_running(&self, key: Key) -> bool {
        matches!(self.0.get(key.index()), Some(Place::Running(running)) if *running == key)
    }

    /// Takes all out that wait.
    pub(crate) fn drain(&mut self) -> Vec<Request> {
        let waiting = self.0.iter_mut().filter(|place| matches!(place, Place::Waiting(_)));
        let taken = waiting.map(std::mem::take).filter_map(|place| match place {
            Place::Waiting(request) => Some(request),
            Place::Empty | Place::Running(_) => None,
        });
        taken.collect()
    }

    /// Whether a request waits.
    pub(crate) fn is_waiting(&self, key: Key) -> bool {
        matches!(self.0.get(key.index()), Some(Place::Waiting(request)) if request.key() == key)
    }

    /// Takes a request that waits, and leaves something else in its place.
    fn replace(&mut self, key: Key, with: Place) -> Option<Request> {
        if !self.is_waiting(key) {
            return None;
        }
        match std::mem::replace(&mut self.0[key.index()], with) {
            Place::Waiting(request) => Some(request),
            Place::Empty | Place::Running(_) => None,
        }
    }
}

/// The order of some requests: first come, first served.
///
/// It holds their keys. A request that is cancelled is taken out of [`Requests`] alone; its key
/// stays until it is skipped or swept out.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The keys, those of requests that have gone included.
    keys: VecDeque<Key>,
    /// How many of them wait.
    waiting: usize,
}

impl Order {
    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// One more waits.
    pub(crate) fn push_back(&mut self, key: Key) {
        self.keys.push_back(key);
        self.waiting += 1;
    }

    /// One waits again that was the first.
    #[cfg(unix)]
    pub(crate) fn push_front(&mut self, key: Key) {
        self.keys.push_front(key);
        self.waiting += 1;
    }

    /// Takes the first, by `take`, which is [`Requests::take`] or [`Requests::start`].
    pub(crate) fn pop(&mut self, take: impl FnMut(Key) -> Option<Request>) -> Option<Request> {
        let request = std::iter::from_fn(|| self.keys.pop_front()).find_map(take);
        self.waiting -= usize::from(request.is_some());
        request
    }

    /// One was taken out of the requests, wherever it was.
    pub(crate) fn left(&mut self, requests: &Requests) {
        self.waiting -= 1;
        if self.keys.len() > 2 * self.waiting + MAX_STALE {
            self.keys.retain(|key| requests.is_waiting(*key));
        }
    }

    /// Holds nothing any more, but has room.
    pub(crate) fn cleared(mut self) -> Self {
        self.keys.clear();
        self.waiting = 0;
        self
    }
}
