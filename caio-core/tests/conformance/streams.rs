//! What the simplest backend needs of Linux: to wait for a stream without blocking in it.

use caio_core::SharedFd;
use caio_sys::poll::{PollEvents, PollFd, poll};
use std::io;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::time::Duration;

/// What a pipe that polls writable takes without blocking (`PIPE_BUF`).
const TAKEN_AT_ONCE: usize = 4096;
/// How often an operation looks whether it is to give up.
const TICK: Duration = Duration::from_millis(5);

/// Does a transfer once the stream is ready for it, or `None` where it is to give up first.
pub(crate) fn when_ready(
    fd: &SharedFd,
    read: bool,
    give_up: impl Fn() -> bool,
    mut transfer: impl FnMut(usize) -> io::Result<usize>,
) -> Option<io::Result<usize>> {
    /// One transfer at a time, so that nobody takes what another has seen.
    static ONE: Mutex<()> = Mutex::new(());
    let events = if read { PollEvents::IN } else { PollEvents::OUT };
    while !give_up() {
        let mut one = [PollFd::new(fd.as_fd(), events)];
        match poll(&mut one, Some(TICK)) {
            Err(error) => return Some(Err(error)),
            Ok(0) => continue,
            Ok(_) => {}
        }
        let _one = ONE.lock();
        let mut now = [PollFd::new(fd.as_fd(), events)];
        if matches!(poll(&mut now, Some(Duration::ZERO)), Ok(1..)) {
            return Some(transfer(TAKEN_AT_ONCE));
        }
    }
    None
}
