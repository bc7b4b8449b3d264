//! Buffers of operations that are given up: they are told the truth about what is in them.

use super::cases;
use crate::fixture::Fixture;
use crate::kit::{PATIENCE, block_on, pattern, poll_once};
use caio_core::{IoBuf, IoBufMut, Outcome};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

cases!("discarded": dropped_reads, cancelled_reads, timed_out_reads);

/// How long the reads are: from what is read in one piece to what is read in many.
const LENGTHS: [usize; 4] = [4096, 100_000, 1 << 20, 5 << 20];
/// How often they are polled before they are given up.
const POLLS: [usize; 4] = [0, 1, 2, 5];

/// A buffer that compares what it is said to have with what the file has when it goes.
struct Witness {
    /// The memory, with bytes that the file has nowhere in a row.
    memory: Vec<u8>,
    /// How much of it was said to be filled.
    filled: usize,
    /// What the file has.
    file: Arc<[u8]>,
    /// Told how much was said to be filled, and whether it was true.
    verdict: Sender<(usize, bool)>,
}

impl Witness {
    /// One that is empty, and who is told.
    fn new(len: usize, file: &Arc<[u8]>) -> (Self, Receiver<(usize, bool)>) {
        let (verdict, told) = channel();
        (Self { memory: vec![0xee; len], filled: 0, file: Arc::clone(file), verdict }, told)
    }
}

// SAFETY: a vector's memory stays where it is, and nobody changes it.
unsafe impl IoBuf for Witness {
    fn stable_ptr(&self) -> *const u8 {
        self.memory.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.filled
    }
}

// SAFETY: as above; all of the memory is initialised.
unsafe impl IoBufMut for Witness {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.memory.len()
    }

    unsafe fn set_init(&mut self, len: usize) {
        self.filled = len;
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let true_to_the_file = self.memory[..self.filled] == self.file[..self.filled];
        // A case that has failed listens no more.
        let _gone = self.verdict.send((self.filled, true_to_the_file));
    }
}

/// Asks a witness that has gone, or will.
fn assert_true(told: &Receiver<(usize, bool)>, what: &str) {
    let (filled, is_true) = told.recv_timeout(PATIENCE).expect("the buffer of an operation that has ended is freed");
    assert!(is_true, "{what}: {filled} bytes are said to be filled, and some of them are not the file's");
}

/// Runs a read for each length, given up after so many polls, at once or when what it started has ended.
fn each(fixture: &Fixture, give_up: impl Fn(&crate::context::Context, &caio_core::SharedFd, Witness, usize, Duration)) {
    let ctx = fixture.context();
    let content: Arc<[u8]> = pattern(*LENGTHS.last().expect("there are some")).into();
    let fd = fixture.file("content", &content);
    for len in LENGTHS {
        for polls in POLLS {
            for wait in [Duration::ZERO, Duration::from_millis(20)] {
                let (witness, told) = Witness::new(len, &content);
                give_up(&ctx, &fd, witness, polls, wait);
                assert_true(&told, &format!("{len} bytes, given up {wait:?} after poll {polls}"));
            }
        }
    }
}

/// A read is dropped in the middle of it.
fn dropped_reads(fixture: &Fixture) {
    each(fixture, |ctx, fd, witness, polls, wait| {
        let mut read = ctx.read_into(witness, fd, 0);
        if (0..polls).all(|_| poll_once(&mut read).is_pending()) {
            thread::sleep(wait);
        }
        drop(read);
    });
}

/// A read is cancelled in the middle of it; what it says of itself is what its buffer has.
fn cancelled_reads(fixture: &Fixture) {
    each(fixture, |ctx, fd, witness, polls, wait| {
        let mut read = ctx.read_into(witness, fd, 0);
        if !(0..polls).all(|_| poll_once(&mut read).is_pending()) {
            return;
        }
        thread::sleep(wait);
        if let Outcome::Completed(read, witness) = block_on(read.cancel()) {
            assert_eq!(read.expect("a read of a file"), witness.filled);
        }
    });
}

/// A read's time is up in the middle of it.
fn timed_out_reads(fixture: &Fixture) {
    each(fixture, |ctx, fd, witness, polls, wait| {
        let mut read = ctx.read_into(witness, fd, 0).timeout(Duration::from_millis(1));
        if !(0..polls).all(|_| poll_once(&mut read).is_pending()) {
            return;
        }
        thread::sleep(wait);
        let (read, witness) = block_on(read);
        if let Ok(read) = read {
            assert_eq!(read, witness.filled);
        }
    });
}
