//! compio with its io_uring driver, one runtime a thread.

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use ::compio::BufResult;
use ::compio::buf::{IoBuf, IoBufMut, SetLen};
use ::compio::fs::{File, OpenOptions};
use ::compio::io::{AsyncReadAt, AsyncWriteAt};
use ::compio::runtime::Runtime;

use crate::buffer::Block;
use crate::lane::Lanes;
use crate::measure::Runner;
use crate::peers::{Kind, Peer, Shape, does_io, on_one_thread};
use crate::task::{Job, Step, Task};

/// The rows.
pub(super) const PEERS: [Peer; 2] = [PEER, on_one_thread("compio-1t", "compio, one thread", PEER)];

/// One runtime a thread.
const PEER: Peer =
    Peer { id: "compio", label: "compio", kind: Kind::Library, shape: Shape::PerThread, applies: does_io, build };

/// One runtime and one descriptor a thread.
fn build(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    Lanes::start(lanes, move |lane| {
        let runtime = Runtime::new()?;
        let file = runtime.block_on(
            OpenOptions::new()
                .read(true)
                .write(job.workload.writes())
                .custom_flags(if job.workload.direct { libc::O_DIRECT } else { 0 })
                .open(job.path()),
        )?;
        let job = job.clone();
        Ok(Box::new(move |round| {
            runtime.block_on(async {
                let tasks = job.tasks(round, lane, lanes).into_iter();
                let handles: Vec<_> = tasks.map(|task| ::compio::runtime::spawn(work(file.clone(), task))).collect();
                let mut ops = 0;
                for handle in handles {
                    ops += handle.await.map_err(|_| io::Error::other("a task panicked"))??;
                }
                Ok(ops)
            })
        }))
    })
}

/// Carries out a task.
async fn work(file: File, mut task: Task) -> io::Result<u64> {
    let mut block = task.block();
    while let Some(step) = task.next_step(&mut block) {
        let BufResult(result, back) = match step {
            Step::Read(at) => file.read_at(block, at).await,
            Step::Write(at) => (&file).write_at(block, at).await,
            Step::Sync => BufResult(file.sync_data().await.map(|()| 0), block),
        };
        block = back;
        task.done(result, &block)?;
    }
    Ok(task.ops())
}

impl IoBuf for Block {
    fn as_init(&self) -> &[u8] {
        self.filled()
    }
}

impl SetLen for Block {
    unsafe fn set_len(&mut self, len: usize) {
        Block::set_len(self, len);
    }
}

impl IoBufMut for Block {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let room = self.room();
        // SAFETY: the same bytes; compio only ever writes initialised ones to them.
        unsafe { &mut *(std::ptr::from_mut(room) as *mut [MaybeUninit<u8>]) }
    }
}
