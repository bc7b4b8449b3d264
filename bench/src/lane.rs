//! Threads that keep a peer's runtime between rounds and carry out one round when told to.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::measure::{Runner, Sample, Usage};
use crate::task::{Purpose, Round};

/// What a thread does in a round: its share of the tasks. Returns how many operations it finished.
pub type Lane = Box<dyn FnMut(&Round) -> io::Result<u64>>;

/// How long a round may go on after its end before its peer counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the threads' names begin with.
const NAME: &str = "lane-";

/// Threads that carry out rounds together.
pub struct Lanes {
    /// Both ends of the talk with each thread.
    lines: Vec<Line>,
}

/// The talk with one thread.
struct Line {
    /// Rounds to carry out; the thread ends when it is dropped.
    rounds: Sender<Round>,
    /// Operations finished, or why it failed; closed by the thread's end.
    replies: Receiver<io::Result<u64>>,
}

impl Lanes {
    /// Starts `count` threads. Each makes what it needs, and none of it ever leaves the thread.
    pub fn start<M>(count: usize, make: M) -> io::Result<Box<dyn Runner>>
    where
        M: Fn(usize) -> io::Result<Lane> + Send + Sync + 'static,
    {
        let make = Arc::new(make);
        let mut lines = Vec::new();
        for lane in 0..count {
            let make = make.clone();
            let (rounds, inbox) = channel::<Round>();
            let (outbox, replies) = channel();
            thread::Builder::new().name(format!("{NAME}{lane}")).spawn(move || {
                let mut work = match guarded(|| make(lane)) {
                    Ok(work) => work,
                    Err(error) => return drop(outbox.send(Err(error))),
                };
                let mut alive = outbox.send(Ok(0)).is_ok();
                while alive && let Ok(round) = inbox.recv() {
                    alive = outbox.send(guarded(|| work(&round))).is_ok();
                }
                // A runtime that panics while it is dropped has nobody to tell.
                let _ = guarded(|| {
                    drop(work);
                    Ok(())
                });
            })?;
            lines.push(Line { rounds, replies });
        }
        let lanes = Self { lines };
        lanes.collect("starting")?;
        Ok(Box::new(lanes))
    }

    /// Starts a round on every thread.
    fn begin(&self, purpose: &Purpose) -> io::Result<()> {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let seed = SEED.fetch_add(1, Ordering::Relaxed);
        for line in &self.lines {
            let round = Round { purpose: purpose.clone(), seed };
            line.rounds.send(round).map_err(|_| io::Error::other("its thread has ended"))?;
        }
        Ok(())
    }

    /// Waits for every thread's reply and adds them up.
    fn collect(&self, doing: &str) -> io::Result<u64> {
        let mut total = 0;
        for line in &self.lines {
            total += match line.replies.recv_timeout(PATIENCE) {
                Ok(reply) => reply?,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(io::Error::other(format!("stuck while {doing}")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other(format!("its thread ended while {doing}")));
                }
            };
        }
        Ok(total)
    }

    /// Lets every thread work for `length`; this thread is the clock.
    fn timed(&self, length: Duration) -> io::Result<Sample> {
        let stop = Arc::new(AtomicBool::new(false));
        let before = Usage::now()?;
        let start = Instant::now();
        self.begin(&Purpose::Timed(stop.clone()))?;
        thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        let ops = self.collect("running a round")?;
        let wall = start.elapsed();
        Ok(Sample { ops, wall, usage: Usage::now()?.since(before) })
    }
}

impl Runner for Lanes {
    fn verify(&mut self) -> io::Result<()> {
        self.begin(&Purpose::Verify)?;
        match self.collect("verifying")? {
            0 => Err(io::Error::other("verified nothing")),
            _ => Ok(()),
        }
    }

    fn round(&mut self, length: Duration) -> io::Result<Sample> {
        self.timed(length / 10)?;
        self.timed(length)
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for Line { rounds, replies } in self.lines.drain(..) {
            drop(rounds);
            // Waits for the thread's end, but not for one that is stuck.
            while replies.recv_timeout(Duration::from_secs(5)).is_ok() {}
        }
    }
}

/// Keeps panics of these threads off the terminal: their rows tell.
pub fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !thread::current().name().is_some_and(|name| name.starts_with(NAME)) {
            usual(panic);
        }
    }));
}

/// Turns a panic into an error.
fn guarded<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(io::Error::other(message(&*panic))))
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("panicked: {said}")
}
