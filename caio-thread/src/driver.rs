//! An external event loop takes the completions.

use crate::Mailbox;
use crate::platform::Bell;
use caio_core::{Completer, Drive};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

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

    fn take(&self, max: usize) -> io::Result<usize> {
        self.bell.reset();
        Ok(self.mailbox.deliver(max, &self.completer))
    }

    fn notify(&self) {
        self.bell.ring();
    }
}
