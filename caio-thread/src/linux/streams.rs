//! What waits for pipes, sockets and devices: one thread polls for all of it.

use super::bell::Bell;
use super::carry::{finish_tried, try_now};
use super::facts::{NO_NOWAIT_READ, NO_NOWAIT_WRITE};
use crate::pool::Shared;
use caio_core::{Finished, Key, Request, SharedFd};
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many operations of one file are served before the other files have their turn.
const TURN: usize = 16;

/// The operations of one pool that wait for streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// What the lock guards. Only calls that do not wait are made under it, and nothing is delivered.
    state: Mutex<State>,
}

/// What the lock guards.
#[derive(Debug, Default)]
struct State {
    /// The files that are waited for, by [`SharedFd::id`].
    files: HashMap<usize, Waits>,
    /// Rings the poller; there while there is one.
    bell: Option<Arc<Bell>>,
    /// Whether nothing may wait any more.
    stopped: bool,
}

/// Those that wait for one file.
#[derive(Debug)]
struct Waits {
    /// Keeps the descriptor open, and its number ours.
    fd: SharedFd,
    /// Those that read.
    reads: Line,
    /// Those that write.
    writes: Line,
}

/// Those that wait for one direction of a file.
#[derive(Debug, Default)]
struct Line {
    /// First come, first served.
    waiting: VecDeque<Request>,
    /// Whether a worker has the first, because only a call that may wait can serve it.
    taken: bool,
}

impl Line {
    /// Whether the poller is to look after it.
    fn is_interested(&self) -> bool {
        !self.taken && !self.waiting.is_empty()
    }
}

impl Waits {
    /// Nobody waits yet.
    fn new(fd: SharedFd) -> Self {
        Self { fd, reads: Line::default(), writes: Line::default() }
    }

    /// Those of one direction.
    fn line(&mut self, reads: bool) -> &mut Line {
        if reads { &mut self.reads } else { &mut self.writes }
    }

    /// Whether nobody waits, and no worker has one.
    fn is_idle(&self) -> bool {
        let idle = |line: &Line| line.waiting.is_empty() && !line.taken;
        idle(&self.reads) && idle(&self.writes)
    }

    /// What to poll for.
    fn interest(&self) -> PollEvents {
        let ask = |line: &Line, event| if line.is_interested() { event } else { PollEvents::empty() };
        ask(&self.reads, PollEvents::IN) | ask(&self.writes, PollEvents::OUT)
    }
}

impl Streams {
    /// Serves an operation at once, or lets it wait in its turn.
    pub(super) fn submit(this: &Arc<Self>, pool: &Arc<Shared>, request: Request) -> Result<(), Finished> {
        let mut state = this.lock();
        if state.stopped {
            drop(state);
            return Err(request.fail(io::Error::other("the pool was shut down")));
        }
        let (id, reads) = (request.fd().id(), request.op().is_read());
        let first = state
            .files
            .get_mut(&id)
            .is_none_or(|waits| waits.line(reads).waiting.is_empty() && !waits.line(reads).taken);
        if first {
            if let Some(result) = try_now(&request) {
                drop(state);
                return Err(finish_tried(request, result));
            }
        }
        match this.poller(&mut state, pool) {
            Ok(bell) => {
                let waits = state.files.entry(id).or_insert_with(|| Waits::new(request.fd().clone()));
                waits.line(reads).waiting.push_back(request);
                bell.ring();
                Ok(())
            }
            Err(error) => {
                drop(state);
                Err(request.fail(error))
            }
        }
    }

    /// Takes an operation out that waits.
    pub(super) fn cancel(&self, key: Key) -> Option<Request> {
        let mut state = self.lock();
        let found = state.files.iter_mut().find_map(|(id, waits)| {
            let lines = [&mut waits.reads, &mut waits.writes];
            let taken = lines.into_iter().find_map(|line| line.remove(key));
            taken.map(|request| (*id, request))
        });
        let (id, request) = found?;
        let forgotten = state.forget_if_idle(id);
        state.ring();
        drop(state);
        drop(forgotten);
        Some(request)
    }

    /// A worker is done with an operation that it was given.
    pub(super) fn performed(&self, id: usize, reads: bool) {
        let mut state = self.lock();
        if let Some(waits) = state.files.get_mut(&id) {
            waits.line(reads).taken = false;
        }
        let forgotten = state.forget_if_idle(id);
        state.ring();
        drop(state);
        drop(forgotten);
    }

    /// Lets nothing wait any more, and gives back what does.
    pub(super) fn stop(&self) -> Vec<Request> {
        let mut state = self.lock();
        state.stopped = true;
        let files = std::mem::take(&mut state.files);
        state.ring();
        drop(state);
        files.into_values().flat_map(|waits| waits.reads.waiting.into_iter().chain(waits.writes.waiting)).collect()
    }

    /// The poller's bell; starts it if it is not there.
    fn poller(self: &Arc<Self>, state: &mut State, pool: &Arc<Shared>) -> io::Result<Arc<Bell>> {
        if let Some(bell) = &state.bell {
            return Ok(Arc::clone(bell));
        }
        let bell = Arc::new(Bell::new()?);
        let poller = Poller { streams: Arc::clone(self), pool: Arc::clone(pool), bell: Arc::clone(&bell) };
        std::thread::Builder::new().name("caio-poller".into()).spawn(move || poller.run())?;
        state.bell = Some(Arc::clone(&bell));
        Ok(bell)
    }

    /// Takes the lock; nothing can poison it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Takes an operation out.
    fn remove(&mut self, key: Key) -> Option<Request> {
        let at = self.waiting.iter().position(|request| request.key() == key)?;
        self.waiting.remove(at)
    }
}

impl State {
    /// Takes a file out for which nobody waits, to be dropped without the lock: that may close it.
    fn forget_if_idle(&mut self, id: usize) -> Option<Waits> {
        if self.files.get(&id).is_some_and(Waits::is_idle) { self.files.remove(&id) } else { None }
    }

    /// Lets the poller look again.
    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }
}

/// The thread that polls.
struct Poller {
    /// What it looks after.
    streams: Arc<Streams>,
    /// Who delivers, and whose workers help.
    pool: Arc<Shared>,
    /// Wakes it when what it looks after changes.
    bell: Arc<Bell>,
}

impl Poller {
    /// Polls until there has been nothing to look after for a while.
    fn run(self) {
        let mut files: Vec<(SharedFd, PollEvents)> = Vec::new();
        let mut ready = Vec::new();
        let mut ended = Vec::new();
        while self.collect(&mut files) {
            let timeout = if files.is_empty() { Some(self.pool.settings.linger) } else { None };
            let polled = {
                let mut fds = Vec::with_capacity(files.len() + 1);
                fds.push(PollFd::new(self.bell.as_fd(), PollEvents::IN));
                fds.extend(files.iter().map(|(fd, interest)| PollFd::new(fd.as_fd(), *interest)));
                let polled = poll(&mut fds, timeout);
                let events = files.iter().zip(&fds[1..]).map(|((fd, _), entry)| (fd.id(), entry.ready()));
                ready.extend(events.filter(|(_, events)| !events.is_empty()));
                polled
            };
            files.clear();
            match polled {
                Ok(0) => {
                    if self.is_done() {
                        return;
                    }
                }
                Ok(_) => {
                    self.bell.reset();
                    ready.drain(..).for_each(|(id, events)| self.serve(id, events, &mut ended));
                }
                Err(error) => self.fail_all(&error, &mut ended),
            }
            self.pool.deliver_stranded();
            ended.drain(..).for_each(|finished| self.pool.finish(finished));
        }
    }

    /// Collects what to poll for; `false` if the pool was shut down.
    fn collect(&self, into: &mut Vec<(SharedFd, PollEvents)>) -> bool {
        let state = self.streams.lock();
        let interested = state.files.values().map(|waits| (waits.fd.clone(), waits.interest()));
        into.extend(interested.filter(|(_, interest)| !interest.is_empty()));
        !state.stopped
    }

    /// Whether nothing is left to look after; then the next one starts another poller.
    fn is_done(&self) -> bool {
        let mut state = self.streams.lock();
        let done = state.files.is_empty();
        if done {
            state.bell = None;
        }
        done
    }

    /// A file is ready: serves those that wait for it.
    fn serve(&self, id: usize, events: PollEvents, ended: &mut Vec<Finished>) {
        let broken =
            events.contains(PollEvents::ERR) || events.contains(PollEvents::HUP) || events.contains(PollEvents::NVAL);
        let mut state = self.streams.lock();
        if let Some(waits) = state.files.get_mut(&id) {
            if broken || events.contains(PollEvents::IN) {
                self.serve_line(waits.line(true), NO_NOWAIT_READ, ended);
            }
            if broken || events.contains(PollEvents::OUT) {
                self.serve_line(waits.line(false), NO_NOWAIT_WRITE, ended);
            }
        }
        let forgotten = state.forget_if_idle(id);
        drop(state);
        drop(forgotten);
    }

    /// Serves those that wait for one direction, as far as that takes no waiting; a worker has to where only it can.
    fn serve_line(&self, line: &mut Line, unsupported: u32, ended: &mut Vec<Finished>) {
        for _ in 0..TURN {
            if line.taken {
                return;
            }
            let Some(request) = line.waiting.front() else {
                return;
            };
            let tried = try_now(request);
            if tried.is_none() && request.fd().hints().marks() & unsupported == 0 {
                return;
            }
            let Some(request) = line.waiting.pop_front() else {
                return;
            };
            match tried {
                Some(result) => ended.push(finish_tried(request, result)),
                None => {
                    line.taken = true;
                    if let Err(finished) = self.pool.enqueue(request) {
                        line.taken = false;
                        ended.push(finished);
                    }
                }
            }
        }
    }

    /// It cannot be polled: nothing that waits would ever be served.
    fn fail_all(&self, error: &io::Error, ended: &mut Vec<Finished>) {
        let mut state = self.streams.lock();
        let files = std::mem::take(&mut state.files);
        drop(state);
        for waits in files.into_values() {
            let waiting = waits.reads.waiting.into_iter().chain(waits.writes.waiting);
            ended.extend(waiting.map(|request| request.fail(crate::pool::copy(error))));
        }
    }
}
