//! Random operations on a task's part of a file, against a model of it.

use crate::buffer::Buffer;
use crate::polls::{finish, give_up};
use crate::rng::Rng;
use caio::{Context, IoPriority, Outcome, SharedFd};
use std::io::ErrorKind;
use std::time::Duration;

/// How much of a file is one task's, in bytes. The first half is verified byte by byte, the second has writes that are given up.
pub(crate) const PART: usize = 64 * 1024;
/// What `O_DIRECT` offsets and lengths are multiples of.
const BLOCK: usize = 4096;

/// One task's part of a file.
pub(crate) struct Part {
    /// The file.
    fd: SharedFd,
    /// Where the part begins.
    begin: usize,
    /// What offsets and lengths are multiples of.
    unit: usize,
    /// What the first half has.
    model: Vec<u8>,
    /// Which values each block of the second half may have.
    tags: Vec<[u64; 4]>,
}

impl Part {
    /// The part of a task with this number; all is 0.
    pub(crate) fn new(fd: SharedFd, number: usize) -> Self {
        let unit = if fd.is_direct() { BLOCK } else { 1 };
        Self { fd, begin: number * PART, unit, model: vec![0; PART / 2], tags: vec![[1, 0, 0, 0]; PART / 2 / BLOCK] }
    }

    /// The file.
    pub(crate) fn fd(&self) -> &SharedFd {
        &self.fd
    }

    /// A place in the first half, and a length.
    fn range(&self, rng: &mut Rng) -> (usize, usize) {
        let units = PART / 2 / self.unit;
        let begin = rng.below(units);
        let most = (units - begin).min(if rng.one_in(16) { units } else { (2 * BLOCK).div_ceil(self.unit) });
        (begin * self.unit, (1 + rng.below(most)) * self.unit)
    }

    /// What the model says of a range.
    fn check(&self, at: usize, asked: usize, content: &[u8]) {
        let expected = &self.model[at..at + asked.min(content.len())];
        assert!(content.len() <= asked && !content.is_empty(), "{} bytes of {asked} were read", content.len());
        assert!(content == expected, "a read at {at} has wrong bytes: {:?}", first_difference(content, expected));
    }

    /// Writes, and awaits it. Interrupted by short writes until all is written.
    pub(crate) async fn write(&mut self, ctx: &Context, rng: &mut Rng) {
        let (at, len) = self.range(rng);
        let content: Vec<u8> = (0..len).map(|_| rng.next() as u8).collect();
        let mut done = 0;
        while done < len {
            let offset = (self.begin + at + done) as u64;
            let mut write = ctx.write(Buffer::filled(&content[done..]), &self.fd, offset);
            if rng.one_in(16) {
                write =
                    write.priority(rng.choose(&[IoPriority::BestEffort(7), IoPriority::Idle, IoPriority::RealTime(0)]));
            }
            if rng.one_in(4) {
                write = write.submit();
            }
            let (written, _) = finish(rng, write).await;
            done += written.expect("a write");
        }
        self.model[at..at + len].copy_from_slice(&content);
    }

    /// Reads in one of several ways, and compares.
    pub(crate) async fn read(&self, ctx: &Context, rng: &mut Rng) {
        let (at, len) = self.range(rng);
        let offset = (self.begin + at) as u64;
        let read = ctx.read_into(Buffer::new(len), &self.fd, offset);
        match rng.below(8) {
            0 => match finish(rng, read.submit().cancel()).await {
                Outcome::Cancelled(buffer) => assert!(buffer.content().is_empty(), "nothing was read"),
                Outcome::Completed(read, buffer) => {
                    assert_eq!(read.expect("a read"), buffer.content().len());
                    self.check(at, len, buffer.content());
                }
            },
            1 => {
                let limit = Duration::from_micros(rng.below(500) as u64);
                match finish(rng, read.timeout(limit)).await {
                    (Ok(_), buffer) => self.check(at, len, buffer.content()),
                    (Err(error), _) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
                }
            }
            2 => give_up(rng, read).await,
            3 if self.unit == 1 => {
                let data = finish(rng, ctx.read(len, &self.fd, offset)).await.expect("a read");
                self.check(at, len, &data);
            }
            4 => {
                let first = rng.below(len / self.unit + 1) * self.unit;
                let buffers = [first, len - first].map(Buffer::new).into_iter().collect();
                let (read, buffers) = finish(rng, ctx.readv(buffers, &self.fd, offset)).await;
                let data = buffers.iter().flat_map(|buffer| buffer.content().to_vec()).collect::<Vec<_>>();
                assert_eq!(read.expect("a read"), data.len());
                self.check(at, len, &data);
            }
            _ => {
                let (read, buffer) = finish(rng, read).await;
                assert_eq!(read.expect("a read"), buffer.content().len());
                self.check(at, len, buffer.content());
            }
        }
    }

    /// Reads several at a time, in a batch.
    pub(crate) async fn read_batch(&self, ctx: &Context, rng: &mut Rng) -> usize {
        let mut batch = ctx.batch();
        let count = 2 + rng.below(14);
        let reads: Vec<_> = (0..count)
            .map(|_| {
                let (at, len) = self.range(rng);
                (at, len, batch.read_into(Buffer::new(len), &self.fd, (self.begin + at) as u64))
            })
            .collect();
        batch.submit().expect("the context is open");
        for (at, len, read) in reads {
            if rng.one_in(8) {
                give_up(rng, read).await;
                continue;
            }
            let (read, buffer) = finish(rng, read).await;
            read.expect("a read");
            self.check(at, len, buffer.content());
        }
        count
    }

    /// Writes a block of the second half, and gives that up; then what is there is something that was written.
    pub(crate) async fn write_and_give_up(&mut self, ctx: &Context, rng: &mut Rng) {
        let (block, tag) = (rng.below(self.tags.len()), rng.next() as u8);
        self.tags[block][usize::from(tag / 64)] |= 1 << (tag % 64);
        let way = rng.below(4);
        let mut buffer = Buffer::filled(&[tag; BLOCK]);
        buffer.panics = way > 1 && rng.one_in(32);
        let offset = (self.begin + PART / 2 + block * BLOCK) as u64;
        let write = ctx.write(buffer, &self.fd, offset);
        match way {
            0 => drop(finish(rng, write.submit().cancel()).await),
            1 => {
                let limit = Duration::from_micros(rng.below(300) as u64);
                drop(finish(rng, write.timeout(limit)).await);
            }
            _ => give_up(rng, write).await,
        }
    }

    /// What the file has in the end.
    pub(crate) fn verify(&self, content: &[u8]) {
        let (first, second) = content[self.begin..self.begin + PART].split_at(PART / 2);
        assert!(first == self.model, "the file differs from the model: {:?}", first_difference(first, &self.model));
        for (block, tags) in second.chunks(BLOCK).zip(&self.tags) {
            let known = |byte: &u8| tags[usize::from(byte / 64)] & (1 << (byte % 64)) != 0;
            assert!(block.iter().all(known), "a block has bytes that nobody has written there");
        }
    }
}

/// Where two contents differ first.
fn first_difference(got: &[u8], expected: &[u8]) -> Option<(usize, u8, u8)> {
    (0..got.len().min(expected.len())).find(|at| got[*at] != expected[*at]).map(|at| (at, got[at], expected[at]))
}
