//! Where completions wait for an external event loop.

use caio_core::support::lock;
use caio_core::{Completer, Finished};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// Requests that have ended, until [`deliver`](Self::deliver) hands them on. A cheap clone.
///
/// It holds no more than there are operations in flight. Its signal is called when it is no longer
/// empty, and again by a `deliver` that leaves something behind: whoever waits for the signal
/// resets it first and delivers then.
///
/// ```
/// use std::sync::Arc;
/// let mailbox = caio_thread::Mailbox::new(Arc::new(|| println!("completions wait")));
/// assert!(mailbox.is_empty());
/// ```
#[derive(Clone)]
pub struct Mailbox(Arc<Inner>);

/// What the clones share.
struct Inner {
    /// What waits.
    state: Mutex<State>,
    /// Tells an event loop.
    signal: Arc<dyn Fn() + Send + Sync>,
}

/// What the lock guards.
struct State {
    /// The requests that have ended.
    letters: VecDeque<Finished>,
    /// Whether nobody will deliver any more.
    closed: bool,
}

impl Mailbox {
    /// An empty one. The signal must not block, and must not call the mailbox.
    #[must_use]
    pub fn new(signal: Arc<dyn Fn() + Send + Sync>) -> Self {
        let state = Mutex::new(State { letters: VecDeque::new(), closed: false });
        Self(Arc::new(Inner { state, signal }))
    }

    /// Delivers up to `max` requests, in the order in which they ended, and returns how many. Call
    /// it without holding a lock.
    pub fn deliver(&self, max: usize, completer: &Completer) -> usize {
        let mut delivered = 0;
        while delivered < max {
            let Some(finished) = self.lock().letters.pop_front() else {
                return delivered;
            };
            completer.deliver(finished);
            delivered += 1;
        }
        if !self.is_empty() {
            (self.0.signal)();
        }
        delivered
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().letters.is_empty()
    }

    /// Puts a request in; gives it back if nobody will deliver it.
    pub(crate) fn put(&self, finished: Finished) -> Result<(), Finished> {
        let mut state = self.lock();
        if state.closed {
            return Err(finished);
        }
        let first = state.letters.is_empty();
        state.letters.push_back(finished);
        drop(state);
        if first {
            (self.0.signal)();
        }
        Ok(())
    }

    /// Nobody will deliver any more: takes no more requests, and delivers those that wait.
    pub(crate) fn close(&self, completer: &Completer) {
        let mut state = self.lock();
        state.closed = true;
        let letters = std::mem::take(&mut state.letters);
        drop(state);
        letters.into_iter().for_each(|finished| completer.deliver(finished));
    }

    /// Takes the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("waiting", &self.lock().letters.len()).finish_non_exhaustive()
    }
}
