//! Random operations on files that wait: pipes, sockets, counters and timers.

use crate::buffer::Buffer;
use crate::polls::{drop_early, finish};
use crate::rng::Rng;
use caio::{Context, NO_OFFSET, Outcome, SharedFd};
use rustix::event::{EventfdFlags, eventfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A task's files that wait.
pub(crate) struct Streams {
    /// Ends that read and write, with what was written and read so far.
    pairs: Vec<Pair>,
    /// A pair whose bytes may be lost.
    lossy: (SharedFd, SharedFd),
    /// A counter.
    counter: SharedFd,
    /// A timer.
    timer: SharedFd,
}

/// Two ends.
struct Pair {
    /// Reads.
    reader: SharedFd,
    /// Writes.
    writer: SharedFd,
    /// How many bytes were written; each has its number.
    written: usize,
    /// How many were read.
    read: usize,
}

/// A pipe.
fn pipe() -> (SharedFd, SharedFd) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    (reader.into(), writer.into())
}

impl Streams {
    /// Nothing was written yet.
    pub(crate) fn new() -> Self {
        let (a, b) = UnixStream::pair().expect("a pair of sockets");
        let ends = [pipe(), (OwnedFd::from(a).into(), OwnedFd::from(b).into())];
        let pairs = ends.map(|(reader, writer)| Pair { reader, writer, written: 0, read: 0 });
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).expect("a timer");
        Self {
            pairs: pairs.into_iter().collect(),
            lossy: pipe(),
            counter: eventfd(0, EventfdFlags::CLOEXEC).expect("a counter").into(),
            timer: timer.into(),
        }
    }

    /// One step. Says how many operations it had.
    pub(crate) async fn step(&mut self, ctx: &Context, rng: &mut Rng) -> usize {
        match rng.below(5) {
            0 | 1 => {
                let pair = rng.below(self.pairs.len());
                self.pairs[pair].step(ctx, rng).await
            }
            2 => self.lose(ctx, rng).await,
            3 => self.count(ctx, rng).await,
            _ => self.time(ctx, rng).await,
        }
    }

    /// Reads that are given up, at a pipe that now and then has something.
    async fn lose(&self, ctx: &Context, rng: &mut Rng) -> usize {
        let (reader, writer) = &self.lossy;
        let mut buffer = Buffer::new(1 + rng.below(100));
        buffer.panics = rng.one_in(32);
        drop_early(rng, ctx.read_into(buffer, reader, NO_OFFSET)).await;
        if rng.one_in(4) {
            // It may be full of what nobody reads.
            let write = ctx.write(Buffer::filled(&[1; 100]), writer, NO_OFFSET);
            drop(finish(rng, write.timeout(Duration::from_millis(1))).await);
        }
        2
    }

    /// A read of the counter that waits, and a write that it waits for.
    async fn count(&self, ctx: &Context, rng: &mut Rng) -> usize {
        let mut empty = ctx.read_into(Buffer::new(8), &self.counter, NO_OFFSET).timeout(Duration::from_micros(100));
        if rng.one_in(2) {
            empty = empty.submit();
        }
        let (read, _) = finish(rng, empty).await;
        assert_eq!(read.expect_err("nothing was counted").kind(), ErrorKind::TimedOut);
        let waits = ctx.read_into(Buffer::new(8), &self.counter, NO_OFFSET).submit();
        let number = 1 + rng.next() % 1000;
        let (written, _) =
            finish(rng, ctx.write(Buffer::filled(&number.to_ne_bytes()), &self.counter, NO_OFFSET)).await;
        assert_eq!(written.expect("a write"), 8);
        let (read, buffer) = finish(rng, waits).await;
        assert_eq!((read.expect("a read"), buffer.content()), (8, &number.to_ne_bytes()[..]));
        3
    }

    /// A read of the timer, which is set or not.
    async fn time(&self, ctx: &Context, rng: &mut Rng) -> usize {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: 0, tv_nsec: 50_000 } };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once).expect("the timer is set");
        let read = ctx.read_into(Buffer::new(8), &self.timer, NO_OFFSET);
        if rng.one_in(4) {
            return match finish(rng, read.submit().cancel()).await {
                Outcome::Cancelled(_) => 1,
                Outcome::Completed(read, _) => read.map(|_| 1).expect("a read"),
            };
        }
        let (read, buffer) = finish(rng, read).await;
        assert_eq!((read.expect("a read"), buffer.content()[0]), (8, 1));
        1
    }
}

impl Pair {
    /// Writes some bytes and reads them, in one order or the other; gives reads up that have nothing to read.
    async fn step(&mut self, ctx: &Context, rng: &mut Rng) -> usize {
        let len = 1 + rng.below(2000);
        let content: Vec<u8> = (self.written..self.written + len).map(|number| number as u8).collect();
        self.written += len;
        let early =
            rng.one_in(2).then(|| ctx.read_into(Buffer::new(1 + rng.below(len)), &self.reader, NO_OFFSET).submit());
        if early.is_none() && rng.one_in(4) {
            let read = ctx.read_into(Buffer::new(100), &self.reader, NO_OFFSET).submit();
            assert!(matches!(finish(rng, read.cancel()).await, Outcome::Cancelled(_)), "there was nothing to read");
        }
        let mut sent = 0;
        while sent < len {
            let (written, _) = finish(rng, ctx.write(Buffer::filled(&content[sent..]), &self.writer, NO_OFFSET)).await;
            sent += written.expect("a write");
        }
        let mut operations = 2;
        if let Some(early) = early {
            let (read, buffer) = finish(rng, early).await;
            read.expect("a read");
            self.take(buffer.content());
        }
        while self.read < self.written {
            operations += 1;
            let read = ctx.read_into(Buffer::new(1 + rng.below(3000)), &self.reader, NO_OFFSET);
            let content = if rng.one_in(8) {
                match finish(rng, read.submit().cancel()).await {
                    Outcome::Cancelled(_) => continue,
                    Outcome::Completed(read, buffer) => read.map(|_| buffer),
                }
            } else {
                let (read, buffer) = finish(rng, read).await;
                read.map(|_| buffer)
            };
            self.take(content.expect("a read").content());
        }
        operations
    }

    /// Bytes have come: the next ones.
    fn take(&mut self, content: &[u8]) {
        assert!(!content.is_empty(), "the other end is open");
        for byte in content {
            assert_eq!(*byte, self.read as u8, "byte {} is lost, or out of order", self.read);
            self.read += 1;
        }
    }
}
