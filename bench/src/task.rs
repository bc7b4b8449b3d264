//! One task's sequence of operations: where each goes, and what must be true of its result.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::buffer::{Block, Content};
use crate::data::{self, Data};
use crate::plan::{Act, Workload};

/// A workload together with the files that it runs on.
pub struct Job {
    /// What to run.
    pub workload: &'static Workload,
    /// Threads that a peer may use.
    pub threads: usize,
    /// What to run it on.
    pub data: Arc<Data>,
}

impl Job {
    /// The file that the workload works on.
    pub fn path(&self) -> &Path {
        if self.workload.writes() { &self.data.write_path } else { &self.data.read_path }
    }

    /// Opens that file the way the workload asks for.
    pub fn open(&self) -> io::Result<File> {
        File::options()
            .read(true)
            .write(self.workload.writes())
            .custom_flags(if self.workload.direct { libc::O_DIRECT } else { 0 })
            .open(self.path())
    }

    /// The tasks of one of `lanes` threads in this round; the depth is shared out evenly.
    pub fn tasks(self: &Arc<Self>, round: &Round, lane: usize, lanes: usize) -> Vec<Task> {
        (0..self.workload.depth)
            .filter(|task| task % lanes == lane)
            .map(|task| Task::new(self.clone(), round.clone(), task))
            .collect()
    }
}

/// What a round is for.
#[derive(Clone)]
pub enum Purpose {
    /// To be timed: goes on until the flag is set.
    Timed(Arc<AtomicBool>),
    /// To check contents, untimed: a fixed number of operations.
    Verify,
}

/// One round, as the tasks see it.
#[derive(Clone)]
pub struct Round {
    /// What it is for.
    pub purpose: Purpose,
    /// Differs from round to round, so that no round repeats another's offsets.
    pub seed: u64,
}

/// One operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Read a block at this offset.
    Read(u64),
    /// Write a block at this offset.
    Write(u64),
    /// fdatasync(2).
    Sync,
}

/// A sequence of operations, one at a time.
pub struct Task {
    /// What it is part of.
    job: Arc<Job>,
    /// When it ends.
    round: Round,
    /// State of the offsets' generator (xorshift64); never 0.
    random: u64,
    /// Blocks in the file.
    blocks: u64,
    /// Which block is next, where they are taken in turn.
    turn: u64,
    /// What was handed out last.
    last: Option<Step>,
    /// Operations finished.
    ops: u64,
    /// Operations handed out before a verifying task ends.
    left: u32,
}

/// Operations that a verifying task carries out.
const VERIFY_OPS: u32 = 8;

impl Task {
    /// The task number `task` of a round.
    fn new(job: Arc<Job>, round: Round, task: usize) -> Self {
        let random = data::mix(round.seed ^ ((task as u64) << 48)) | 1;
        let blocks = Data::size(job.workload.writes()) / job.workload.block as u64;
        let turn = data::mix(round.seed) % blocks + task as u64;
        Self { job, round, random, blocks, turn, last: None, ops: 0, left: VERIFY_OPS }
    }

    /// A buffer of one operation's size.
    pub fn block(&self) -> Block {
        Block::new(self.block_bytes())
    }

    /// Bytes an operation.
    pub fn block_bytes(&self) -> usize {
        self.job.workload.block
    }

    /// Operations finished.
    pub fn ops(&self) -> u64 {
        self.ops
    }

    /// The next operation, or `None` at the end of the round.
    pub fn next_step(&mut self, buffer: &mut impl Content) -> Option<Step> {
        let step = match &self.round.purpose {
            Purpose::Timed(stop) => {
                let ended = stop.load(Ordering::Relaxed);
                self.timed_step(ended)?
            }
            Purpose::Verify => {
                let step = self.verify_step()?;
                if let Step::Write(at) = step {
                    data::fill(buffer.room(), at);
                }
                step
            }
        };
        self.last = Some(step);
        Some(step)
    }

    /// Takes the result of the operation handed out last: a short transfer is an error, and so,
    /// where contents are verified, is a wrong byte.
    pub fn done(&mut self, result: io::Result<usize>, buffer: &impl Content) -> io::Result<()> {
        let transferred = result?;
        let step = self.last.expect("a step was handed out");
        if step != Step::Sync && transferred != self.job.workload.block {
            return Err(io::Error::other(format!("short transfer: {transferred} bytes at {step:?}")));
        }
        if matches!(self.round.purpose, Purpose::Verify) {
            self.verify(step, buffer)?;
        }
        let part = self.job.workload.act == Act::WriteSync && step != Step::Sync;
        self.ops += u64::from(!part);
        Ok(())
    }

    /// The next operation of a timed round. A write is always followed by its sync.
    fn timed_step(&mut self, ended: bool) -> Option<Step> {
        match self.job.workload.act {
            Act::WriteSync if matches!(self.last, Some(Step::Write(_))) => Some(Step::Sync),
            _ if ended => None,
            Act::Read => Some(Step::Read(self.offset())),
            Act::Write | Act::WriteSync => Some(Step::Write(self.offset())),
            Act::Mixed => {
                let at = self.offset();
                Some(if (self.random & 0xffff) * 10 < 7 << 16 { Step::Read(at) } else { Step::Write(at) })
            }
            Act::Create | Act::Cycle => None,
        }
    }

    /// The next operation of a verifying round. The mixed workload reads what it has just written.
    fn verify_step(&mut self) -> Option<Step> {
        match (self.job.workload.act, self.last) {
            (Act::WriteSync, Some(Step::Write(_))) => return Some(Step::Sync),
            (Act::Mixed, Some(Step::Write(at))) => return Some(Step::Read(at)),
            _ => {}
        }
        self.left = self.left.checked_sub(1)?;
        match self.job.workload.act {
            Act::Read => Some(Step::Read(self.offset())),
            Act::Write | Act::WriteSync | Act::Mixed => Some(Step::Write(self.offset())),
            Act::Create | Act::Cycle => None,
        }
    }

    /// Compares what was read, or what a write left in the file, with the pattern.
    fn verify(&self, step: Step, buffer: &impl Content) -> io::Result<()> {
        let right = match step {
            Step::Read(at) => buffer.filled().len() == self.job.workload.block && data::matches(buffer.filled(), at),
            Step::Write(at) => {
                let mut block = vec![0; self.job.workload.block];
                self.job.open()?.read_exact_at(&mut block, at)?;
                data::matches(&block, at)
            }
            Step::Sync => true,
        };
        if right { Ok(()) } else { Err(io::Error::other(format!("wrong contents at {step:?}"))) }
    }

    /// A block's offset: evenly distributed, or the next but for those of the other tasks.
    fn offset(&mut self) -> u64 {
        if self.job.workload.in_turn {
            let block = self.turn % self.blocks;
            self.turn += self.job.workload.depth as u64;
            return block * self.job.workload.block as u64;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (((self.random >> 32) * self.blocks) >> 32) * self.job.workload.block as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{Data, Job, Purpose, Round, Step, Task};
    use crate::buffer::Block;
    use crate::data;
    use crate::plan::{Act, WORKLOADS, Workload};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// A task of the first workload with this act; its files do not exist.
    fn task(act: Act, purpose: Purpose) -> Task {
        let fits = |workload: &&Workload| workload.act == act;
        let workload = WORKLOADS.iter().find(fits).expect("a workload for every act");
        let data = Data { read_path: "/nonexistent/read".into(), write_path: "/nonexistent/write".into() };
        let job = Arc::new(Job { workload, threads: workload.threads, data: Arc::new(data) });
        job.tasks(&Round { purpose, seed: 7 }, 0, 1).remove(0)
    }

    /// Hands out one read and answers it with the right contents, changed by `spoil`.
    fn answer(spoil: impl FnOnce(&mut Block) -> usize) -> io::Result<()> {
        let mut task = task(Act::Read, Purpose::Verify);
        let mut block = task.block();
        let Some(Step::Read(at)) = task.next_step(&mut block) else { panic!("a read") };
        data::fill(block.room(), at);
        let transferred = spoil(&mut block);
        task.done(Ok(transferred), &block)
    }

    #[test]
    fn right_contents_pass() {
        answer(|block| block.len()).unwrap();
    }

    #[test]
    fn one_wrong_byte_is_an_error() {
        let error = answer(|block| {
            block.room()[4095] ^= 1;
            block.len()
        });
        assert!(error.unwrap_err().to_string().contains("wrong contents"));
    }

    #[test]
    fn a_short_read_is_an_error_even_when_timed() {
        let mut task = task(Act::Read, Purpose::Timed(Arc::new(AtomicBool::new(false))));
        let mut block = task.block();
        task.next_step(&mut block).expect("a read");
        assert!(task.done(Ok(4095), &block).unwrap_err().to_string().contains("short"));
    }

    #[test]
    fn a_write_is_followed_by_its_sync_after_the_end() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut task = task(Act::WriteSync, Purpose::Timed(stop.clone()));
        let mut block = task.block();
        assert!(matches!(task.next_step(&mut block), Some(Step::Write(_))));
        task.done(Ok(4096), &block).unwrap();
        assert_eq!(task.ops(), 0);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(task.next_step(&mut block), Some(Step::Sync));
        task.done(Ok(0), &block).unwrap();
        assert_eq!((task.ops(), task.next_step(&mut block)), (1, None));
    }

    #[test]
    fn offsets_stay_within_the_file_and_the_mix_is_seven_to_three() {
        let mut task = task(Act::Mixed, Purpose::Timed(Arc::new(AtomicBool::new(false))));
        let mut block = task.block();
        let mut reads = 0;
        for _ in 0..100_000 {
            let (at, read) = match task.next_step(&mut block) {
                Some(Step::Read(at)) => (at, true),
                Some(Step::Write(at)) => (at, false),
                other => panic!("{other:?}"),
            };
            assert!(at % 4096 == 0 && at + 4096 <= Data::size(true));
            reads += u32::from(read);
        }
        assert!((69_000..71_000).contains(&reads), "{reads}");
    }
}
