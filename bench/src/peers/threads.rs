//! pread(2), pwrite(2) and fdatasync(2) on plain threads: what the machine can do.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::lane::Lanes;
use crate::measure::Runner;
use crate::peers::{Kind, Peer, Shape, does_io};
use crate::plan::THREADS;
use crate::task::{Job, Step, Task};

/// The row.
pub(super) const PEER: Peer = Peer {
    id: THREADS,
    label: "pread/pwrite threads",
    kind: Kind::Limit,
    shape: Shape::PerThread,
    applies: does_io,
    build,
};

/// Each thread has its own descriptor and goes through one task at a time.
fn build(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.workload.plain_threads;
    Lanes::start(lanes, move |lane| {
        let file = job.open()?;
        let job = job.clone();
        Ok(Box::new(move |round| {
            let task = job.tasks(round, lane, lanes).into_iter().next();
            task.map_or(Ok(0), |task| work(&file, task))
        }))
    })
}

/// Carries out a task.
fn work(file: &File, mut task: Task) -> io::Result<u64> {
    let mut block = task.block();
    while let Some(step) = task.next_step(&mut block) {
        let result = match step {
            Step::Read(at) => file.read_at(block.room(), at),
            Step::Write(at) => file.write_at(block.filled(), at),
            Step::Sync => file.sync_data().map(|()| 0),
        };
        task.done(result, &block)?;
    }
    Ok(task.ops())
}
