//! tokio-uring, one runtime a thread.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use ::tokio_uring::buf::{IoBuf, IoBufMut};
use ::tokio_uring::fs::File;

use crate::buffer::Block;
use crate::lane::Lanes;
use crate::measure::Runner;
use crate::peers::{Kind, Peer, Shape, does_io, on_one_thread};
use crate::task::{Job, Step, Task};

/// The rows.
pub(super) const PEERS: [Peer; 2] = [PEER, on_one_thread("tokio-uring-1t", "tokio-uring, one thread", PEER)];

/// One runtime a thread.
const PEER: Peer = Peer {
    id: "tokio-uring",
    label: "tokio-uring",
    kind: Kind::Library,
    shape: Shape::PerThread,
    applies: does_io,
    build,
};

/// One runtime and one descriptor a thread.
fn build(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    Lanes::start(lanes, move |lane| {
        let runtime = ::tokio_uring::Runtime::new(&::tokio_uring::builder())?;
        let file = job.open()?;
        let file = Rc::new(runtime.block_on(async { File::from_std(file) }));
        let job = job.clone();
        Ok(Box::new(move |round| {
            runtime.block_on(async {
                let tasks = job.tasks(round, lane, lanes).into_iter();
                let handles: Vec<_> = tasks.map(|task| ::tokio_uring::spawn(work(file.clone(), task))).collect();
                let mut ops = 0;
                for handle in handles {
                    ops += handle.await.map_err(io::Error::other)??;
                }
                Ok(ops)
            })
        }))
    })
}

/// Carries out a task.
async fn work(file: Rc<File>, mut task: Task) -> io::Result<u64> {
    let mut block = task.block();
    while let Some(step) = task.next_step(&mut block) {
        let (result, back) = match step {
            Step::Read(at) => file.read_at(block, at).await,
            Step::Write(at) => file.write_at(block, at).submit().await,
            Step::Sync => (file.sync_data().await.map(|()| 0), block),
        };
        block = back;
        task.done(result, &block)?;
    }
    Ok(task.ops())
}

// SAFETY: a block's bytes are on the heap, initialised, and stay put when it moves.
unsafe impl IoBuf for Block {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: as above, and the pointer is the same one.
unsafe impl IoBufMut for Block {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    unsafe fn set_init(&mut self, len: usize) {
        self.set_len(len);
    }
}
