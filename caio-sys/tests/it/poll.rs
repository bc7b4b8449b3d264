//! Waiting for descriptors.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use caio_sys::eventfd::EventFd;
use caio_sys::poll::{PollEvents, PollFd, poll};

use crate::support::under_signals;
use caio_conformance::kit::pipe_ends;

#[test]
fn it_tells_which_entry_is_ready() {
    let (idle, ready) = (EventFd::new().unwrap(), EventFd::new().unwrap());
    ready.signal().unwrap();
    let mut fds =
        [PollFd::new(idle.as_fd(), PollEvents::IN), PollFd::new(ready.as_fd(), PollEvents::IN | PollEvents::OUT)];
    assert_eq!(poll(&mut fds, None).unwrap(), 1);
    assert!(fds[0].ready().is_empty());
    assert_eq!(fds[1].ready(), PollEvents::IN | PollEvents::OUT);
}

#[test]
fn a_closed_writer_is_reported_unasked() {
    let (reader, writer) = pipe_ends();
    drop(writer);
    let mut fds = [PollFd::new(reader.as_fd(), PollEvents::empty())];
    assert_eq!(poll(&mut fds, None).unwrap(), 1);
    assert_eq!(fds[0].ready(), PollEvents::HUP);
}

#[test]
fn a_closed_reader_is_an_error_for_the_writer() {
    let (reader, writer) = pipe_ends();
    drop(reader);
    let mut fds = [PollFd::new(writer.as_fd(), PollEvents::empty())];
    assert_eq!(poll(&mut fds, None).unwrap(), 1);
    assert!(fds[0].ready().contains(PollEvents::ERR));
}

#[test]
fn no_entries_wait_for_the_timeout() {
    let wait = Duration::from_millis(5);
    let begun = Instant::now();
    assert_eq!(poll(&mut [], Some(wait)).unwrap(), 0);
    assert!(begun.elapsed() >= wait);
}

#[test]
fn a_timeout_beyond_all_clocks_is_taken() {
    let event = EventFd::new().unwrap();
    event.signal().unwrap();
    let mut fds = [PollFd::new(event.as_fd(), PollEvents::IN)];
    assert_eq!(poll(&mut fds, Some(Duration::MAX)).unwrap(), 1);
}

#[test]
fn signals_neither_end_nor_stretch_the_wait() {
    let wait = Duration::from_millis(60);
    let (found, took) = under_signals(move || {
        let begun = Instant::now();
        (poll(&mut [], Some(wait)).unwrap(), begun.elapsed())
    });
    assert_eq!(found, 0);
    assert!(took >= wait, "ended after {took:?}");
    assert!(took < Duration::from_secs(4), "lasted {took:?}");
}
