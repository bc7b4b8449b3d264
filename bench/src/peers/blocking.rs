//! blocking's `unblock` under async-executor, as smol programs do file I/O.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_executor::Executor;

use crate::lane::Lanes;
use crate::measure::Runner;
use crate::peers::{Kind, Peer, Shape, does_io};
use crate::task::{Job, Step, Task};

/// The row.
pub(super) const PEER: Peer = Peer {
    id: "blocking",
    label: "blocking unblock",
    kind: Kind::Library,
    shape: Shape::Shared,
    applies: does_io,
    build,
};

/// One executor that all threads run, one descriptor for all tasks.
fn build(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    let executor = Arc::new(Executor::new());
    let file = Arc::new(job.open()?);
    Lanes::start(lanes, move |lane| {
        let (job, executor, file) = (job.clone(), executor.clone(), file.clone());
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, lanes).into_iter();
            let handles: Vec<_> = tasks.map(|task| executor.spawn(work(file.clone(), task))).collect();
            futures::executor::block_on(executor.run(async {
                let mut ops = 0;
                for handle in handles {
                    ops += handle.await?;
                }
                Ok(ops)
            }))
        }))
    })
}

/// Carries out a task.
async fn work(file: Arc<File>, mut task: Task) -> io::Result<u64> {
    let mut block = task.block();
    while let Some(step) = task.next_step(&mut block) {
        let file = file.clone();
        let call = ::blocking::unblock(move || {
            let result = match step {
                Step::Read(at) => file.read_at(block.room(), at),
                Step::Write(at) => file.write_at(block.filled(), at),
                Step::Sync => file.sync_data().map(|()| 0),
            };
            (result, block)
        });
        let (result, back) = call.await;
        block = back;
        task.done(result, &block)?;
    }
    Ok(task.ops())
}
