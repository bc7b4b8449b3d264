//! The eventfd.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use caio_sys::eventfd::EventFd;
use caio_sys::file::status_flags;
use caio_sys::poll::{PollEvents, PollFd, poll};

#[test]
fn signals_add_up_and_are_drained_once() {
    let event = EventFd::new().unwrap();
    assert_eq!(event.drain().unwrap(), None);
    for _ in 0..3 {
        event.signal().unwrap();
    }
    assert_eq!(event.drain().unwrap(), Some(3));
    assert_eq!(event.drain().unwrap(), None);
}

#[test]
fn a_full_counter_is_no_error() {
    let event = EventFd::new().unwrap();
    let mut same = File::from(event.as_fd().try_clone_to_owned().unwrap());
    same.write_all(&(u64::MAX - 1).to_ne_bytes()).unwrap();
    event.signal().unwrap();
    assert_eq!(event.drain().unwrap(), Some(u64::MAX - 1));
}

#[test]
fn it_polls_readable_while_it_is_signalled() {
    let event = EventFd::new().unwrap();
    let mut fds = [PollFd::new(event.as_fd(), PollEvents::IN)];
    assert_eq!(poll(&mut fds, Some(std::time::Duration::ZERO)).unwrap(), 0);
    event.signal().unwrap();
    assert_eq!(poll(&mut fds, None).unwrap(), 1);
    assert_eq!(fds[0].ready(), PollEvents::IN);
}

#[test]
fn it_is_nonblocking_and_closed_on_exec() {
    let event = EventFd::new().unwrap();
    assert!(status_flags(event.as_fd()).unwrap().is_nonblocking());
    // SAFETY: the call takes numbers only.
    let flags = unsafe { libc::fcntl(event.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
    let raw = event.as_raw_fd();
    assert_eq!(OwnedFd::from(event).as_raw_fd(), raw);
}
