//! Closing files whose close may wait: a thread does it, so that no poll and no drop waits.

use crate::platform::Process;
use crate::support::{lock, spawn};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The most threads that close files at a time. A socket that lingers keeps one for as long as that
/// takes.
const MAX_THREADS: usize = 4;
/// How long a thread without work stays.
const LINGER: Duration = Duration::from_secs(1);

/// The files of a process that wait to be closed: there are no more of them than the process may
/// have open.
struct Closer {
    /// The process that it belongs to.
    process: Process,
    /// What waits.
    state: Mutex<State>,
    /// Notified when a file comes.
    came: Condvar,
}

/// What the lock guards.
#[derive(Default)]
struct State {
    /// The files, the oldest first.
    files: VecDeque<File>,
    /// How many threads there are.
    threads: usize,
    /// How many of them wait for a file.
    idle: usize,
}

/// Closes a file in a thread. In a child process, and where no thread can be had, closes it here.
pub(crate) fn in_background(file: File) {
    static CLOSER: OnceLock<Closer> = OnceLock::new();
    let closer =
        CLOSER.get_or_init(|| Closer { process: Process::current(), state: Mutex::default(), came: Condvar::new() });
    if closer.process.is_left() {
        return drop(file); // its lock may have been held at the fork
    }
    let mut state = lock(&closer.state);
    state.files.push_back(file);
    if state.idle >= state.files.len() || state.threads == MAX_THREADS {
        drop(state);
        return closer.came.notify_one();
    }
    state.threads += 1;
    drop(state);
    if spawn("caio-closer", || closer.run()).is_err() {
        let mut state = lock(&closer.state);
        state.threads -= 1;
        let left = if state.threads == 0 { std::mem::take(&mut state.files) } else { VecDeque::new() };
        drop(state);
        drop(left);
    }
}

impl Closer {
    /// Closes files until there have been none for a while.
    fn run(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(file) = state.files.pop_front() {
                drop(state);
                drop(file);
                state = lock(&self.state);
                continue;
            }
            state.idle += 1;
            let (woken, waited) = self.came.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.files.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}
