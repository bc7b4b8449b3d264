//! Random transfers at a file's own position: each block lands once, whoever writes.

use crate::buffer::Buffer;
use crate::polls::finish;
use crate::rng::Rng;
use caio::{Context, NO_OFFSET, Outcome, SharedFd};
use std::io::{Seek, SeekFrom};

/// How long each write is: what `O_DIRECT` takes.
const BLOCK: usize = 4096;
/// How many blocks a file has at most, before it is verified and begun anew.
const MAX_BLOCKS: usize = 64;

/// A file that is written and read at its position.
pub(crate) struct Position {
    /// The file.
    fd: SharedFd,
    /// How often each tag was written.
    written: [usize; 256],
}

impl Position {
    /// An empty file.
    pub(crate) fn new(fd: SharedFd) -> Self {
        Self { fd, written: [0; 256] }
    }

    /// Writes some blocks at a time, or verifies what was written. Says how many operations it had.
    pub(crate) async fn step(&mut self, ctx: &Context, rng: &mut Rng) -> usize {
        if self.written.iter().sum::<usize>() >= MAX_BLOCKS {
            return self.verify(ctx, rng).await;
        }
        let count = 1 + rng.below(6);
        let writes: Vec<_> = (0..count)
            .map(|_| {
                let tag = rng.next() as u8;
                (usize::from(tag), ctx.write(Buffer::filled(&[tag; BLOCK]), &self.fd, NO_OFFSET).submit())
            })
            .collect();
        for (tag, write) in writes {
            let written = if rng.one_in(8) {
                match finish(rng, write.cancel()).await {
                    Outcome::Cancelled(_) => continue,
                    Outcome::Completed(written, _) => written,
                }
            } else {
                finish(rng, write).await.0
            };
            assert_eq!(written.expect("a write"), BLOCK);
            self.written[tag] += 1;
        }
        count
    }

    /// Reads it all from its start, some blocks at a time, and begins anew.
    async fn verify(&mut self, ctx: &Context, rng: &mut Rng) -> usize {
        self.fd.file().seek(SeekFrom::Start(0)).expect("a position");
        let mut found = [0; 256];
        let (mut operations, mut ended) = (0, false);
        while !ended {
            let room = || Buffer::new(BLOCK);
            let count = 1 + rng.below(4);
            let reads: Vec<_> = (0..count).map(|_| ctx.read_into(room(), &self.fd, NO_OFFSET).submit()).collect();
            operations += count;
            for read in reads {
                let (read, buffer) = finish(rng, read).await;
                let block = buffer.content();
                assert_eq!(read.expect("a read"), block.len());
                match block {
                    [] => ended = true,
                    [tag, ..] => {
                        assert!(block == [*tag; BLOCK], "a block is torn");
                        found[usize::from(*tag)] += 1;
                    }
                }
            }
        }
        assert!(found == self.written, "blocks are lost, or there are too many");
        self.written = [0; 256];
        self.fd.file().set_len(0).expect("it is emptied");
        self.fd.file().seek(SeekFrom::Start(0)).expect("a position");
        operations
    }
}
