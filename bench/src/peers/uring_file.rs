//! uring-file: a ring behind two threads, awaited on tokio.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ::uring_file::uring::{IoBuf, IoBufMut, Uring, UringCfg};

use crate::buffer::Block;
use crate::lane::Lanes;
use crate::measure::Runner;
use crate::peers::tokio_blocking::{multi_thread, run_all};
use crate::peers::{Kind, Peer, Shape, does_io};
use crate::task::{Job, Step, Task};

/// The row.
pub(super) const PEER: Peer =
    Peer { id: "uring-file", label: "uring-file", kind: Kind::Library, shape: Shape::Shared, applies: does_io, build };

/// One descriptor for all tasks.
fn build(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    Lanes::start(1, move |lane| {
        let runtime = multi_thread(job.workload.workers)?;
        let ring = ring()?;
        let file = Arc::new(job.open()?);
        let job = job.clone();
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, 1).into_iter();
            run_all(&runtime, tasks.map(|task| work(ring.clone(), file.clone(), task)))
        }))
    })
}

/// The process's one ring: the thread that takes its completions never ends once it is started.
fn ring() -> io::Result<Uring> {
    static RING: Mutex<Option<Uring>> = Mutex::new(None);
    let mut made = RING.lock().unwrap_or_else(PoisonError::into_inner);
    match &*made {
        Some(ring) => Ok(ring.clone()),
        None => Ok(made.insert(Uring::new(UringCfg::default())?).clone()),
    }
}

/// Carries out a task.
async fn work(ring: Uring, file: Arc<File>, mut task: Task) -> io::Result<u64> {
    let mut block = task.block();
    while let Some(step) = task.next_step(&mut block) {
        let result = match step {
            Step::Read(at) => {
                let read = ring.read_into_at(&*file, at, block).await?;
                block = read.buf;
                block.set_len(read.bytes_read as usize);
                Ok(read.bytes_read as usize)
            }
            Step::Write(at) => {
                let write = ring.write_at(&*file, at, block).await?;
                block = write.buf;
                Ok(write.bytes_written as usize)
            }
            Step::Sync => ring.datasync(&*file).await.map(|()| 0),
        };
        task.done(result, &block)?;
    }
    Ok(task.ops())
}

// SAFETY: a block's bytes are on the heap, initialised, and stay put when it moves.
unsafe impl IoBuf for Block {
    fn as_ptr(&self) -> *const u8 {
        Block::as_ptr(self)
    }

    fn len(&self) -> usize {
        Block::len(self)
    }
}

// SAFETY: as above, and the pointer is the same one.
unsafe impl IoBufMut for Block {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        Block::as_mut_ptr(self)
    }

    fn capacity(&self) -> usize {
        Block::capacity(self)
    }
}
