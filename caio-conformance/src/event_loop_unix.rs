//! An event loop outside of the library, with many drivers.

use caio_core::Driver;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The longest that it waits for a descriptor, so that it sees when it is to end.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Takes the completions of contexts, each in a thread, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct EventLoop(Arc<AtomicBool>);

impl EventLoop {
    /// Takes the completions of one more context, whenever its descriptor says that there are some.
    pub(crate) fn add(&self, mut driver: Driver) {
        let stop = Arc::clone(&self.0);
        let turn = move || {
            while !stop.load(Ordering::Relaxed) {
                let is_readable = poll(&mut [PollFd::new(&driver, PollFlags::IN)], Some(&TICK)) == Ok(1);
                // In a child process of the case nobody is here.
                if is_readable && driver.reap(64, 0, None).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("event-loop".to_owned()).spawn(turn).expect("a thread");
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
