//! What may wait for ever: operations on pipes, sockets and devices. They occupy no worker while
//! they wait.
//!
//! An operation is tried in its caller's thread. If it would have to wait it joins the line of its
//! file and direction; when the file becomes ready, one thread tries the first of each line, for
//! all files of a pool. What takes long, or what the system cannot be asked to do without waiting,
//! is done by a worker. A line is served in order: whoever tries its first operation has taken the
//! line, and nobody else tries it meanwhile. Nothing is transferred and nothing is delivered under
//! the lock.

mod attempt;
#[cfg(target_os = "linux")]
mod epoll;
mod event_loop;
mod lines;
mod poll;
mod poller;
mod turn;

pub(crate) use attempt::{Calls, Mode, write_to_pipe};
#[cfg(target_os = "linux")]
pub(crate) use epoll::{Epoll, is_pollable};
pub(crate) use poll::Poll;
pub(crate) use poller::Poller;

use crate::routes::Route;
use crate::shared::{Shared, shut_down};
use attempt::{Attempt, attempt, carry_out, is_instant};
use caio_core::support::{lock, spawn};
use caio_core::{Finished, Key, Request};
use event_loop::EventLoop;
use lines::{LineId, Lines, Waited};
use poller::{Arming, Event};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// How many operations of a line are served before other lines have their turn.
const LINE_TURN: usize = 16;

/// The operations of one pool that may wait for ever.
pub(crate) struct Waits {
    /// Who makes the system calls.
    calls: Box<dyn Calls>,
    /// Who waits.
    lines: Mutex<Lines>,
}

/// Who lets an operation wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// One that found others waiting, and has not tried it.
    Newcomer,
    /// One that has tried it without taking the line.
    Caller,
    /// One that has taken the line.
    Owner,
    /// Likewise, and none of the line has ended since its file became ready.
    OwnerInVain,
}

impl By {
    /// Whether it has taken the line.
    fn owns(self) -> bool {
        matches!(self, Self::Owner | Self::OwnerInVain)
    }
}

/// What became of an operation that was to wait.
enum Parked {
    /// It waits, and the line is not the owner's any more.
    Waits,
    /// It is to be tried first.
    Again(Request),
    /// It cannot wait.
    Ended(Finished),
}

impl Waits {
    /// Nothing waits yet.
    pub(crate) fn new(calls: Box<dyn Calls>) -> Self {
        Self { calls, lines: Mutex::default() }
    }

    /// Serves an operation at once, or lets it wait in its turn.
    pub(crate) fn submit(&self, pool: &Arc<Shared>, mut request: Request) -> Result<(), Finished> {
        let line = LineId::of(&request);
        let mut by = if is_instant(&request) || !self.is_busy(line) { By::Caller } else { By::Newcomer };
        loop {
            if by == By::Caller {
                match attempt(&*self.calls, request) {
                    Attempt::Ended(finished) => return Err(finished),
                    Attempt::Waits(tried) => request = tried,
                    Attempt::Worker(tried) => return self.hand_over(pool, line, tried),
                }
            }
            match self.park(pool, line, request, by) {
                Parked::Waits => return Ok(()),
                Parked::Ended(finished) => return Err(finished),
                Parked::Again(parked) => (request, by) = (parked, By::Caller),
            }
        }
    }

    /// Takes an operation out that waits.
    pub(crate) fn cancel(&self, key: Key) -> Option<Request> {
        let mut guard = self.lock();
        let lines = &mut *guard;
        let request = lines.requests.take(key)?;
        let line = LineId::of(&request);
        if let Some(file) = lines.files.get_mut(&line.file) {
            file.line(line.direction).order.left(&lines.requests);
        }
        let idle = lines.forget_if_idle(line.file);
        drop(guard);
        drop(idle);
        Some(request)
    }

    /// Lets nothing wait any more, and gives back what does.
    pub(crate) fn stop(&self) -> Vec<Request> {
        let mut lines = self.lock();
        lines.stopped = true;
        let files = std::mem::take(&mut lines.files);
        let waiting = lines.requests.drain();
        lines.poller.iter().for_each(|poller| poller.wake());
        drop(lines);
        drop(files);
        waiting
    }

    /// Carries an operation out in a worker, which has been handed its line with it.
    pub(crate) fn perform(&self, pool: &Arc<Shared>, mut request: Request) {
        let line = LineId::of(&request);
        let finished = loop {
            match carry_out(&*self.calls, request) {
                Ok(finished) => break finished,
                Err(waits) => match self.park(pool, line, waits, By::OwnerInVain) {
                    Parked::Waits => return,
                    Parked::Again(parked) => request = parked,
                    Parked::Ended(finished) => break finished,
                },
            }
        };
        self.next_by_worker(pool, line);
        pool.finish(finished);
    }

    /// An operation that a worker was to carry out will not be.
    pub(crate) fn release(&self, pool: &Arc<Shared>, request: &Request) {
        self.next_by_worker(pool, LineId::of(request));
    }

    /// A line's owner leaves its next operation to a worker.
    fn next_by_worker(&self, pool: &Arc<Shared>, line: LineId) {
        while let Some(next) = self.take(line, By::Owner) {
            match pool.enqueue(next, Route::Waits) {
                Ok(()) => return,
                Err(finished) => pool.finish(finished),
            }
        }
    }

    /// Leaves an operation that only a worker can carry out to one, unless others came first.
    fn hand_over(&self, pool: &Arc<Shared>, line: LineId, request: Request) -> Result<(), Finished> {
        let mut guard = self.lock();
        let lines = &mut *guard;
        let file = lines.files.entry(line.file).or_insert_with(|| Waited::new(request.fd().share()));
        let entry = file.line(line.direction);
        if entry.is_busy() {
            entry.order.push_back(request.key());
            lines.requests.insert(request);
            return Ok(());
        }
        entry.is_taken = true;
        drop(guard);
        pool.enqueue(request, Route::Waits).inspect_err(|_| self.next_by_worker(pool, line))
    }

    /// Lets an operation wait: the first of its line for the file, any other for the one before it.
    fn park(&self, pool: &Arc<Shared>, line: LineId, request: Request, by: By) -> Parked {
        let key = request.key();
        let mut guard = self.lock();
        let lines = &mut *guard;
        if lines.stopped {
            drop(guard);
            return Parked::Ended(if by.owns() { request.cancelled() } else { request.fail(shut_down()) });
        }
        let file = lines.files.entry(line.file).or_insert_with(|| Waited::new(request.fd().share()));
        let entry = file.line(line.direction);
        if !by.owns() && entry.is_busy() {
            entry.order.push_back(key);
            lines.requests.insert(request);
            return Parked::Waits;
        }
        let again = by == By::Newcomer || std::mem::take(&mut entry.is_ready);
        let armed = if again { Ok(()) } else { self.arm(lines, pool, line, by) };
        if again || armed.is_err() {
            let idle = lines.forget_if_idle(line.file);
            drop(guard);
            drop(idle);
            return match armed {
                Ok(()) => Parked::Again(request),
                Err(error) => Parked::Ended(request.fail(error)),
            };
        }
        if let Some(entry) = lines.line(line) {
            entry.order.push_front(key);
            entry.is_taken = false;
        }
        lines.requests.insert(request);
        drop(guard);
        // A cancel that came while the owner had it has not found it.
        if by.owns() && pool.completer.is_cancel_asked(key) {
            self.cancel(key).into_iter().for_each(|request| pool.finish(request.cancelled()));
        }
        Parked::Waits
    }

    /// Sees to it that the line is served when its file becomes ready.
    fn arm(&self, lines: &mut Lines, pool: &Arc<Shared>, line: LineId, by: By) -> io::Result<()> {
        let poller = match &lines.poller {
            Some(poller) => Arc::clone(poller),
            None => {
                let poller = self.calls.poller()?;
                let event_loop = EventLoop::new(Arc::clone(pool), Arc::clone(&poller));
                spawn("caio-waits", move || event_loop.run())?;
                lines.poller = Some(Arc::clone(&poller));
                poller
            }
        };
        let Some(file) = lines.files.get_mut(&line.file) else {
            return Ok(());
        };
        let arming = match by {
            _ if !file.is_armed => Arming::First,
            By::OwnerInVain => Arming::InVain,
            By::Newcomer | By::Caller | By::Owner => Arming::Again,
        };
        poller.arm(&file.fd, line.direction, arming)?;
        file.is_armed = true;
        Ok(())
    }

    /// Takes the first operation of a line to try it. Whoever is not the owner takes the line as
    /// well, unless it is taken; the owner, whose last operation has ended, gives the line up if
    /// nobody waits.
    fn take(&self, line: LineId, by: By) -> Option<Request> {
        let mut guard = self.lock();
        let lines = &mut *guard;
        let entry = lines.files.get_mut(&line.file)?.line(line.direction);
        if by != By::Owner && entry.is_taken {
            return None;
        }
        let next = entry.order.pop(|key| lines.requests.take(key));
        entry.is_taken = next.is_some();
        // What has ended may have left something behind.
        entry.is_ready = next.is_none();
        let idle = if next.is_none() { lines.forget_if_idle(line.file) } else { None };
        drop(guard);
        drop(idle);
        next
    }

    /// Serves a line whose file is ready, as far as that takes no waiting. A long line is left to a
    /// worker, so that others have their turn.
    fn serve(&self, pool: &Arc<Shared>, line: LineId) {
        let mut served = 0;
        let mut next = self.take(line, By::Newcomer);
        while let Some(request) = next.take() {
            let by = if served == 0 { By::OwnerInVain } else { By::Owner };
            let finished = match attempt(&*self.calls, request) {
                Attempt::Ended(finished) => finished,
                Attempt::Waits(tried) => match self.park(pool, line, tried, by) {
                    Parked::Waits => return,
                    Parked::Ended(finished) => finished,
                    Parked::Again(parked) => {
                        next = Some(parked);
                        continue;
                    }
                },
                Attempt::Worker(tried) => match pool.enqueue(tried, Route::Waits) {
                    Ok(()) => return,
                    Err(finished) => finished,
                },
            };
            served += 1;
            // The file is waited for no longer before its last operation ends: then its owner may close
            // it, and its number may become another file.
            if served == LINE_TURN {
                self.next_by_worker(pool, line);
            } else {
                next = self.take(line, By::Owner);
            }
            pool.finish(finished);
        }
    }

    /// A file is ready: serves its lines.
    fn on_event(&self, pool: &Arc<Shared>, event: Event) {
        for direction in event.directions() {
            let line = LineId { file: event.file, direction };
            if let Some(entry) = self.lock().line(line) {
                entry.is_ready = true;
            }
            self.serve(pool, line);
        }
    }

    /// Whether a newcomer has to wait for others.
    fn is_busy(&self, line: LineId) -> bool {
        self.lock().line(line).is_some_and(|line| line.is_busy())
    }

    /// Takes the lock.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        lock(&self.lines)
    }
}
