//! Turns at files that cannot be asked not to wait.

use super::poller::Direction;
use caio_core::support::lock;
use caio_core::{FileKind, Request};
use rustix::fs::fstat;
use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};

/// A file by device and inode, and which way.
type Key = (u64, u64, Direction);

/// The turns that are taken.
static TAKEN: LazyLock<Mutex<HashSet<Key>>> = LazyLock::new(Mutex::default);
/// Notified when one is given back.
static GIVEN_BACK: Condvar = Condvar::new();

/// Held by a worker while it asks whether a file is ready, and makes the call that would wait if it
/// were not: so that no other context, and no other descriptor of this process, takes in between
/// what it was ready with.
pub(super) struct Turn(Key);

impl Turn {
    /// Waits for the turn at the file of an operation. A record for a device has none: it may wait
    /// as it likes.
    pub(super) fn take(request: &Request) -> Option<Self> {
        let (fd, direction) = (request.fd(), Direction::of(request));
        let key = match (fd.kind(), direction) {
            // What a worker reads of another device nobody else can take.
            (FileKind::Character, _) if direction == Direction::Write || !fd.file().is_terminal() => return None,
            (FileKind::Pipe | FileKind::Character, _) => {
                let stat = fstat(fd).ok()?;
                (stat.st_dev as u64, stat.st_ino as u64, direction)
            }
            // These share an inode.
            _ => (0, fd.id() as u64, direction),
        };
        let mut taken = lock(&TAKEN);
        while !taken.insert(key) {
            taken = GIVEN_BACK.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        Some(Self(key))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&TAKEN).remove(&self.0);
        GIVEN_BACK.notify_all();
    }
}
