//! The deadlines of operations: one thread, which is there only while some are set.

use crate::key::Key;
use crate::shared::Shared;
use crate::support::{lock, spawn};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long the thread stays when no deadline is set.
const LINGER: Duration = Duration::from_secs(1);

/// The deadlines of one context.
#[derive(Debug)]
pub(crate) struct Timer(Arc<Clock>);

/// What the context and the thread share.
#[derive(Debug)]
struct Clock {
    /// The deadlines.
    state: Mutex<State>,
    /// Notified when the earliest deadline changes, or the thread is to end.
    changed: Condvar,
}

/// What the lock guards.
#[derive(Debug)]
struct State {
    /// The deadlines, earliest first.
    deadlines: BTreeSet<(Instant, Key)>,
    /// The same by operation.
    by_key: HashMap<Key, Instant>,
    /// Whether the thread is there.
    running: bool,
    /// Whether the thread is to end.
    stopped: bool,
}

impl Timer {
    /// No deadlines, no thread.
    pub(crate) fn new() -> Self {
        let state = State { deadlines: BTreeSet::new(), by_key: HashMap::new(), running: false, stopped: false };
        Self(Arc::new(Clock { state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// Lets an operation expire at a deadline. Where the thread cannot be started, gives the
    /// operations that it should watch.
    pub(crate) fn schedule(&self, deadline: Instant, key: Key, shared: &Arc<Shared>) -> Vec<Key> {
        let mut state = lock(&self.0.state);
        state.remove(key);
        state.deadlines.insert((deadline, key));
        state.by_key.insert(key, deadline);
        let earliest = state.deadlines.first() == Some(&(deadline, key));
        let start = !std::mem::replace(&mut state.running, true);
        drop(state);
        if start {
            return self.start(shared);
        }
        if earliest {
            self.0.changed.notify_one();
        }
        Vec::new()
    }

    /// Starts the thread, or gives up all deadlines.
    fn start(&self, shared: &Arc<Shared>) -> Vec<Key> {
        let (clock, weak) = (Arc::clone(&self.0), Arc::downgrade(shared));
        if spawn("caio-timer", move || clock.run(&weak)).is_ok() {
            return Vec::new();
        }
        let mut state = lock(&self.0.state);
        state.running = false;
        state.by_key.clear();
        std::mem::take(&mut state.deadlines).into_iter().map(|(_, key)| key).collect()
    }

    /// An operation's deadline no longer matters. Gives it, if there was one.
    pub(crate) fn unschedule(&self, key: Key) -> Option<Instant> {
        lock(&self.0.state).remove(key)
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        lock(&self.0.state).stopped = true;
        self.0.changed.notify_one();
    }
}

impl State {
    /// Takes an operation's deadline out.
    fn remove(&mut self, key: Key) -> Option<Instant> {
        let deadline = self.by_key.remove(&key)?;
        self.deadlines.remove(&(deadline, key));
        Some(deadline)
    }
}

impl Clock {
    /// The thread: waits for the earliest deadline, expires it, and ends after a while without any.
    fn run(&self, shared: &Weak<Shared>) {
        let mut state = lock(&self.state);
        while !state.stopped {
            let next = state.deadlines.first().copied();
            let now = Instant::now();
            match next {
                Some((deadline, key)) if deadline <= now => {
                    state.remove(key);
                    drop(state);
                    if let Some(shared) = shared.upgrade() {
                        shared.expire(key);
                    }
                    state = lock(&self.state);
                }
                Some((deadline, _)) => state = self.wait(state, deadline - now).0,
                None => {
                    let (after, timed_out) = self.wait(state, LINGER);
                    state = after;
                    if timed_out && state.deadlines.is_empty() {
                        break;
                    }
                }
            }
        }
        state.running = false;
    }

    /// Waits for a change, or for a time.
    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> (MutexGuard<'a, State>, bool) {
        let (state, result) = self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
        (state, result.timed_out())
    }
}
