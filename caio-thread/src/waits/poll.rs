//! Waiting with `poll(2)`, which every Unix has.

use super::poller::{Arming, Direction, Event, Poller};
use crate::platform::Bell;
use caio_core::SharedFd;
use caio_core::support::lock;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a file is left alone that was ready in vain: at first, and at most.
const MIN_PAUSE: Duration = Duration::from_millis(1);
/// See [`MIN_PAUSE`].
const MAX_PAUSE: Duration = Duration::from_millis(100);
/// What a read or a write finds out by a call.
const BROKEN: PollFlags = PollFlags::ERR.union(PollFlags::HUP).union(PollFlags::NVAL);

/// A list of files for `poll(2)`. That call is level-triggered: a file is left alone after each
/// event until it is armed again, and then for a pause that grows while its events are in vain.
pub(crate) struct Poll {
    /// Ends a wait.
    bell: Bell,
    /// The files, by [`SharedFd::id`].
    files: Mutex<HashMap<usize, Armed>>,
}

/// A file that is waited for.
struct Armed {
    /// Keeps the descriptor open while it is polled.
    fd: SharedFd,
    /// What to poll for.
    interest: PollFlags,
    /// How long it is left alone the next time that an event was in vain.
    pause: Duration,
    /// Until when it is left alone.
    until: Option<Instant>,
}

impl Poll {
    /// Waits for nothing yet. Fails where there is no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { bell: Bell::new()?, files: Mutex::default() })
    }

    /// The files to poll now, and the time until others are.
    fn interests(&self, now: Instant) -> (Vec<(SharedFd, PollFlags)>, Option<Duration>) {
        let mut files = lock(&self.files);
        let (mut polled, mut next) = (Vec::with_capacity(files.len()), None::<Instant>);
        for armed in files.values_mut().filter(|armed| !armed.interest.is_empty()) {
            match armed.until.filter(|until| *until > now) {
                Some(until) => next = Some(next.map_or(until, |next| next.min(until))),
                None => polled.push((armed.fd.share(), armed.interest)),
            }
        }
        (polled, next.map(|next| next - now))
    }
}

impl Poller for Poll {
    fn arm(&self, fd: &SharedFd, direction: Direction, arming: Arming) -> io::Result<()> {
        let mut files = lock(&self.files);
        let armed = files.entry(fd.id()).or_insert_with(|| Armed {
            fd: fd.share(),
            interest: PollFlags::empty(),
            pause: MIN_PAUSE,
            until: None,
        });
        armed.interest |= flags(direction);
        if arming == Arming::InVain {
            armed.until = Some(Instant::now() + armed.pause);
            armed.pause = MAX_PAUSE.min(armed.pause * 2);
        } else {
            (armed.until, armed.pause) = (None, MIN_PAUSE);
        }
        drop(files);
        self.bell.ring();
        Ok(())
    }

    fn disarm(&self, fd: &SharedFd) {
        let forgotten = lock(&self.files).remove(&fd.id());
        // A wait may hold the file open.
        self.bell.ring();
        drop(forgotten);
    }

    fn wake(&self) {
        self.bell.ring();
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) {
        let (files, next) = self.interests(Instant::now());
        let timeout = [timeout, next].into_iter().flatten().min().and_then(|timeout| timeout.try_into().ok());
        let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
        fds.extend(files.iter().map(|(fd, interest)| PollFd::new(fd, *interest)));
        let polled = poll(&mut fds, timeout.as_ref());
        if !matches!(polled, Ok(_) | Err(Errno::INTR)) {
            // More files than `RLIMIT_NOFILE` lets one poll, or no memory: each is tried now and
            // then.
            std::thread::sleep(MAX_PAUSE);
        }
        self.bell.reset();
        let mut armed = lock(&self.files);
        for ((fd, interest), entry) in files.iter().zip(&fds[1..]) {
            let ready = if polled.is_err() { *interest } else { entry.revents() };
            let is_ready = |flags: PollFlags| interest.contains(flags) && ready.intersects(flags | BROKEN);
            let (reads, writes) = (is_ready(PollFlags::IN), is_ready(PollFlags::OUT));
            if let Some(armed) = armed.get_mut(&fd.id()).filter(|_| reads || writes) {
                armed.interest.set(PollFlags::IN, armed.interest.contains(PollFlags::IN) && !reads);
                armed.interest.set(PollFlags::OUT, armed.interest.contains(PollFlags::OUT) && !writes);
                events.push(Event { file: fd.id(), reads, writes });
            }
        }
        drop(armed);
    }
}

/// What to poll for.
fn flags(direction: Direction) -> PollFlags {
    match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    }
}
