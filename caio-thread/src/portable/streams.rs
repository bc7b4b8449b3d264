//! What waits for pipes and sockets: each that is waited for has a thread of its own.
//!
//! A blocking call cannot be interrupted with `std` alone. A read is made into memory of the thread's own, so that the
//! caller's comes back at once from a cancel; what it reads after that is kept for the next read of the same file.

use super::carry::{perform, uninterrupted};
use crate::pool::{Shared, copy};
use caio_core::{Finished, Key, Request, SharedFd, View};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most that one read of a stream takes, in bytes.
const LARGEST_READ: usize = 64 * 1024;

/// The operations of one pool that wait for streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// What the lock guards.
    state: Mutex<State>,
}

/// What the lock guards.
#[derive(Debug, Default)]
struct State {
    /// The lines by [`SharedFd::id`] and whether they read.
    lines: HashMap<(usize, bool), Line>,
    /// Whether nothing may wait any more.
    stopped: bool,
}

/// Those that wait for one direction of a file.
#[derive(Debug)]
struct Line {
    /// Keeps the file open, and its number ours.
    fd: SharedFd,
    /// First come, first served.
    waiting: VecDeque<Request>,
    /// Bytes that were read for an operation which had been cancelled by then.
    kept: VecDeque<u8>,
    /// Whether there is a thread.
    served: bool,
}

impl Line {
    /// Nobody waits yet.
    fn new(fd: SharedFd) -> Self {
        Self { fd, waiting: VecDeque::new(), kept: VecDeque::new(), served: false }
    }

    /// Whether it can be forgotten.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.kept.is_empty() && !self.served
    }
}

impl Streams {
    /// Lets an operation wait in its turn; serves a read at once where bytes were kept for it.
    pub(super) fn submit(this: &Arc<Self>, pool: &Arc<Shared>, request: Request) -> Result<(), Finished> {
        let line = (request.fd().id(), request.op().is_read());
        let mut guard = this.lock();
        let state = &mut *guard;
        if state.stopped {
            drop(guard);
            return Err(request.fail(io::Error::other("the pool was shut down")));
        }
        let entry = state.lines.entry(line).or_insert_with(|| Line::new(request.fd().clone()));
        if entry.waiting.is_empty() && !entry.kept.is_empty() {
            let finished = give(request, &mut entry.kept);
            let forgotten = state.forget_if_idle(line);
            drop(guard);
            drop(forgotten);
            return Err(finished);
        }
        let key = request.key();
        entry.waiting.push_back(request);
        let start = !std::mem::replace(&mut entry.served, true);
        drop(guard);
        if !start {
            return Ok(());
        }
        let server = Server { streams: Arc::clone(this), pool: Arc::clone(pool), line };
        match std::thread::Builder::new().name("caio-stream".into()).spawn(move || server.run()) {
            Ok(_) => Ok(()),
            Err(error) => this.unserved(line, key, pool, &error),
        }
    }

    /// A thread could not be started: those that wait for it fail.
    fn unserved(&self, line: (usize, bool), key: Key, pool: &Shared, error: &io::Error) -> Result<(), Finished> {
        let Some(unserved) = self.lock().lines.remove(&line) else {
            return Ok(());
        };
        let mut own = Ok(());
        for request in unserved.waiting {
            let is_own = request.key() == key;
            let finished = request.fail(copy(error));
            if is_own {
                own = Err(finished);
            } else {
                pool.finish(finished);
            }
        }
        own
    }

    /// Takes an operation out that waits.
    pub(super) fn cancel(&self, key: Key) -> Option<Request> {
        let mut state = self.lock();
        state.lines.values_mut().find_map(|line| {
            let at = line.waiting.iter().position(|request| request.key() == key)?;
            line.waiting.remove(at)
        })
    }

    /// Lets nothing wait any more, and gives back what does. Threads that are in a call end once it returns.
    pub(super) fn stop(&self) -> Vec<Request> {
        let mut state = self.lock();
        state.stopped = true;
        let lines = std::mem::take(&mut state.lines);
        drop(state);
        lines.into_values().flat_map(|line| line.waiting).collect()
    }

    /// Takes the lock; nothing can poison it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a line out that nobody needs, to be dropped without the lock: that may close its file.
    fn forget_if_idle(&mut self, line: (usize, bool)) -> Option<Line> {
        if self.lines.get(&line).is_some_and(Line::is_idle) { self.lines.remove(&line) } else { None }
    }
}

/// The thread of one line; it ends when nobody waits.
struct Server {
    /// Where its line is.
    streams: Arc<Streams>,
    /// Who delivers.
    pool: Arc<Shared>,
    /// Which line.
    line: (usize, bool),
}

impl Server {
    /// Serves its line until nobody waits.
    fn run(self) {
        let (_, reads) = self.line;
        if reads { self.run_reads() } else { self.run_writes() }
    }

    /// Reads into memory of its own, and gives it to whoever waits by then.
    fn run_reads(&self) {
        let mut scratch = Vec::new();
        while let Some((fd, wanted)) = self.next_read() {
            scratch.resize(wanted, 0);
            let result = uninterrupted(|| { fd.file() }.read(&mut scratch));
            drop(fd);
            let mut guard = self.streams.lock();
            let Some(line) = guard.lines.get_mut(&self.line) else {
                return;
            };
            let finished = match result {
                Ok(bytes) if bytes > 0 => {
                    line.kept.extend(&scratch[..bytes]);
                    line.waiting.pop_front().map(|request| give(request, &mut line.kept))
                }
                Ok(_) => line.waiting.pop_front().map(|request| give(request, &mut line.kept)),
                Err(error) => line.waiting.pop_front().map(|request| request.fail(error)),
            };
            drop(guard);
            finished.into_iter().for_each(|finished| self.pool.finish(finished));
        }
    }

    /// How much the first that waits wants; `None` if nobody does, or the pool was shut down. Whoever can be served with
    /// what was kept is served first.
    fn next_read(&self) -> Option<(SharedFd, usize)> {
        loop {
            let mut guard = self.streams.lock();
            let line = guard.lines.get_mut(&self.line)?;
            if line.kept.is_empty() {
                if let Some(request) = line.waiting.front() {
                    return Some((line.fd.clone(), request.op().bytes().min(LARGEST_READ)));
                }
            } else if let Some(request) = line.waiting.pop_front() {
                let finished = give(request, &mut line.kept);
                drop(guard);
                self.pool.finish(finished);
                continue;
            }
            line.served = false;
            let forgotten = guard.forget_if_idle(self.line);
            drop(guard);
            drop(forgotten);
            return None;
        }
    }

    /// Carries out one write after the other.
    fn run_writes(&self) {
        loop {
            let mut guard = self.streams.lock();
            let Some(line) = guard.lines.get_mut(&self.line) else {
                return;
            };
            let Some(request) = line.waiting.pop_front() else {
                line.served = false;
                let forgotten = guard.forget_if_idle(self.line);
                drop(guard);
                drop(forgotten);
                return;
            };
            drop(guard);
            self.pool.finish(perform(request));
        }
    }
}

/// Ends a read with as many of the bytes as it has room for; none at all are the end of the stream.
fn give(mut request: Request, bytes: &mut VecDeque<u8>) -> Finished {
    let mut given = 0;
    match request.view() {
        View::Read(buf, _) => given = take(bytes, buf),
        View::Readv(bufs, _) => {
            for mut buf in bufs {
                given += take(bytes, &mut buf);
            }
        }
        View::Write(..) | View::Writev(..) | View::Fsync | View::Fdatasync => {}
    }
    request.finish(Ok(given))
}

/// Moves bytes to the front of a buffer, and says how many.
fn take(bytes: &mut VecDeque<u8>, buf: &mut [u8]) -> usize {
    // Reading from a deque cannot fail, and takes from the first of its two halves only.
    let mut given = 0;
    while let Ok(taken @ 1..) = bytes.read(&mut buf[given..]) {
        given += taken;
    }
    given
}
