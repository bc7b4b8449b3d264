//! tokio: positional calls in `spawn_blocking`, and `tokio::fs`.

use std::fs::File;
use std::io::{self, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;

use crate::buffer::Block;
use crate::lane::Lanes;
use crate::measure::Runner;
use crate::peers::{Kind, Peer, Shape, does_io};
use crate::task::{Job, Step, Task};

/// The rows.
pub(super) const PEERS: [Peer; 2] = [
    Peer {
        id: "spawn-blocking",
        label: "tokio spawn_blocking",
        kind: Kind::Library,
        shape: Shape::Shared,
        applies: does_io,
        build: build_spawn_blocking,
    },
    Peer {
        id: "tokio-fs",
        label: "tokio::fs",
        kind: Kind::Library,
        shape: Shape::Shared,
        // Its buffers are its own and not aligned.
        applies: |workload| does_io(workload) && !workload.direct,
        build: build_fs,
    },
];

/// A multi-thread runtime with as many workers as the workload says.
pub(super) fn multi_thread(workers: usize) -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

/// Runs the tasks on `runtime`'s workers and adds up their operations.
pub(super) fn run_all<F>(runtime: &Runtime, tasks: impl IntoIterator<Item = F>) -> io::Result<u64>
where
    F: Future<Output = io::Result<u64>> + Send + 'static,
{
    let handles: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
    runtime.block_on(async {
        let mut ops = 0;
        for handle in handles {
            ops += handle.await.map_err(io::Error::other)??;
        }
        Ok(ops)
    })
}

/// One descriptor for all tasks, as a program would have it.
fn build_spawn_blocking(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    Lanes::start(1, move |lane| {
        let runtime = multi_thread(job.workload.workers)?;
        let file = Arc::new(job.open()?);
        let job = job.clone();
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, 1).into_iter();
            run_all(&runtime, tasks.map(|task| pooled(file.clone(), task)))
        }))
    })
}

/// Carries out a task in `spawn_blocking`.
async fn pooled(file: Arc<File>, mut task: Task) -> io::Result<u64> {
    let mut block = task.block();
    while let Some(step) = task.next_step(&mut block) {
        let file = file.clone();
        let call = spawn_blocking(move || positional(&file, step, block));
        let (result, back) = call.await.map_err(io::Error::other)?;
        block = back;
        task.done(result, &block)?;
    }
    Ok(task.ops())
}

/// Carries out one operation, blocking.
fn positional(file: &File, step: Step, mut block: Block) -> (io::Result<usize>, Block) {
    let result = match step {
        Step::Read(at) => file.read_at(block.room(), at),
        Step::Write(at) => file.write_at(block.filled(), at),
        Step::Sync => file.sync_data().map(|()| 0),
    };
    (result, block)
}

/// One descriptor a task: a `tokio::fs::File` has a cursor and is not shared.
fn build_fs(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    Lanes::start(1, move |lane| {
        let runtime = multi_thread(job.workload.workers)?;
        let job = job.clone();
        Ok(Box::new(move |round| {
            let mut tasks = Vec::new();
            for task in job.tasks(round, lane, 1) {
                tasks.push(seeking(tokio::fs::File::from_std(job.open()?), task));
            }
            run_all(&runtime, tasks)
        }))
    })
}

/// Carries out a task by seeking; a write counts once it has reached the system.
async fn seeking(mut file: tokio::fs::File, mut task: Task) -> io::Result<u64> {
    let mut block = task.block();
    file.set_max_buf_size(block.capacity());
    while let Some(step) = task.next_step(&mut block) {
        let result = match step {
            Step::Read(at) => {
                file.seek(SeekFrom::Start(at)).await?;
                file.read_exact(block.room()).await
            }
            Step::Write(at) => {
                file.seek(SeekFrom::Start(at)).await?;
                file.write_all(block.filled()).await?;
                file.flush().await.map(|()| block.len())
            }
            Step::Sync => file.sync_data().await.map(|()| 0),
        };
        task.done(result, &block)?;
    }
    Ok(task.ops())
}
