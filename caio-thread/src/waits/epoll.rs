//! Waiting with `epoll(7)`.

use super::poller::{Arming, Direction, Event, Poller};
use crate::platform::Bell;
use caio_core::SharedFd;
use caio_core::support::lock;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::time::Duration;

/// How many events one call takes.
const MAX_EVENTS: usize = 64;
/// How long a wait is that cannot be had.
const PAUSE: Duration = Duration::from_millis(100);
/// Names the bell; no file has this address.
const BELL: u64 = 0;

/// An epoll descriptor: `epoll_create1(2)`, Linux 2.6.27. It is edge-triggered, so that nothing
/// which stays as it is, such as a socket's error queue, makes it spin.
pub(crate) struct Epoll {
    /// The descriptor.
    epoll: OwnedFd,
    /// Ends a wait.
    bell: Bell,
    /// Descriptors of our own for files whose number is waited for already, by [`SharedFd::id`]:
    /// epoll takes each number once.
    duplicates: Mutex<HashMap<usize, OwnedFd>>,
}

impl Epoll {
    /// Waits for nothing yet. Fails where there is no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        let (epoll, bell) = (epoll::create(CreateFlags::CLOEXEC)?, Bell::new()?);
        epoll::add(&epoll, &bell, EventData::new_u64(BELL), EventFlags::IN)?;
        Ok(Self { epoll, bell, duplicates: Mutex::default() })
    }
}

impl Poller for Epoll {
    fn arm(&self, fd: &SharedFd, _direction: Direction, arming: Arming) -> io::Result<()> {
        match arming {
            Arming::First => {}
            Arming::Again | Arming::InVain => return Ok(()),
        }
        let both = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        let data = EventData::new_u64(fd.id() as u64);
        match epoll::add(&self.epoll, fd, data, both) {
            Err(Errno::PERM) => Err(Errno::AGAIN.into()),
            Err(Errno::EXIST) => {
                let duplicate = rustix::io::fcntl_dupfd_cloexec(fd, 0)?;
                epoll::add(&self.epoll, &duplicate, data, both)?;
                lock(&self.duplicates).insert(fd.id(), duplicate);
                Ok(())
            }
            added => Ok(added?),
        }
    }

    fn disarm(&self, fd: &SharedFd) {
        let duplicate = lock(&self.duplicates).remove(&fd.id());
        // A descriptor that its owner has closed is gone from epoll by itself.
        let _gone = match &duplicate {
            Some(duplicate) => epoll::delete(&self.epoll, duplicate),
            None => epoll::delete(&self.epoll, fd),
        };
    }

    fn wake(&self) {
        self.bell.ring();
    }

    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) {
        let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
        let mut buffer = [const { MaybeUninit::uninit() }; MAX_EVENTS];
        let ready = match epoll::wait(&self.epoll, &mut buffer, timeout.as_ref()) {
            Ok((ready, _)) => ready,
            Err(Errno::INTR) => return,
            Err(_) => return std::thread::sleep(PAUSE),
        };
        for event in ready {
            let (flags, data) = (event.flags, event.data.u64());
            if data == BELL {
                self.bell.reset();
                continue;
            }
            let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
            let (reads, writes) = (flags.contains(EventFlags::IN), flags.contains(EventFlags::OUT));
            events.push(Event { file: data as usize, reads: reads || broken, writes: writes || broken });
        }
    }
}

/// Whether a file can be waited for. What cannot, such as `/dev/zero`, never has to.
pub(crate) fn is_pollable(fd: &SharedFd) -> bool {
    let known = epoll::create(CreateFlags::CLOEXEC)
        .and_then(|epoll| epoll::add(&epoll, fd, EventData::new_u64(0), EventFlags::IN));
    known.is_ok()
}
