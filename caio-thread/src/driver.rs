//! Somebody else's event loop takes the completions.

use crate::Mailbox;
use crate::platform::Bell;
use caio_core::{Completer, Drive};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Takes completions out of the pool's mailbox.
pub(crate) struct ThreadDriver {
    /// Where they wait.
    mailbox: Mailbox,
    /// Polls readable while they do.
    bell: Arc<Bell>,
    /// The way back.
    completer: Completer,
}

impl ThreadDriver {
    /// Makes a driver, and the mailbox that it empties.
    pub(crate) fn new(completer: &Completer) -> io::Result<(Self, Mailbox)> {
        let bell = Arc::new(Bell::new()?);
        let rung = Arc::clone(&bell);
        let mailbox = Mailbox::new(Arc::new(move || rung.ring()));
        Ok((Self { mailbox: mailbox.clone(), bell, completer: completer.clone() }, mailbox))
    }
}

impl Drive for ThreadDriver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn reap(&mut self, max: usize, min: usize, timeout: Option<Duration>) -> io::Result<usize> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let min = min.min(max);
        let mut reaped = 0;
        loop {
            self.bell.reset();
            reaped += self.mailbox.deliver(max - reaped, &self.completer);
            if reaped >= min || self.completer.in_flight() == 0 || !self.mailbox.wait(deadline) {
                return Ok(reaped);
            }
        }
    }
}
