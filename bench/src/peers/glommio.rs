//! glommio, one executor a thread: `BufferedFile`, and `DmaFile` for direct I/O.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use ::glommio::io::{BufferedFile, DmaFile, OpenOptions, ReadResult};
use ::glommio::{LocalExecutorBuilder, Placement};

use crate::buffer::Content;
use crate::lane::Lanes;
use crate::measure::Runner;
use crate::peers::{Kind, Peer, Shape, does_io, on_one_thread};
use crate::task::{Job, Step, Task};

/// The rows.
pub(super) const PEERS: [Peer; 2] = [PEER, on_one_thread("glommio-1t", "glommio, one thread", PEER)];

/// One runtime a thread.
const PEER: Peer =
    Peer { id: "glommio", label: "glommio", kind: Kind::Library, shape: Shape::PerThread, applies: does_io, build };

/// Its two kinds of file.
enum File {
    /// Through the page cache.
    Buffered(BufferedFile),
    /// Past it; only read here.
    Direct(DmaFile),
}

/// What stands in for a buffer: glommio's reads return one of its own, and its buffered writes
/// take one for good.
struct Buffer {
    /// What the last read returned.
    read: Option<ReadResult>,
    /// What to write.
    write: Vec<u8>,
}

/// One executor and one descriptor a thread.
fn build(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    Lanes::start(lanes, move |lane| {
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make().map_err(io::Error::from)?;
        let file = Rc::new(executor.run(open(&job))?);
        let job = job.clone();
        Ok(Box::new(move |round| {
            executor.run(async {
                let tasks = job.tasks(round, lane, lanes).into_iter();
                let handles: Vec<_> = tasks.map(|task| ::glommio::spawn_local(work(file.clone(), task))).collect();
                let mut ops = 0;
                for handle in handles {
                    ops += handle.await?;
                }
                Ok(ops)
            })
        }))
    })
}

/// Opens the workload's file.
async fn open(job: &Job) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(job.workload.writes());
    if job.workload.direct {
        options.dma_open(job.path()).await.map(File::Direct).map_err(io::Error::from)
    } else {
        options.buffered_open(job.path()).await.map(File::Buffered).map_err(io::Error::from)
    }
}

/// Carries out a task.
async fn work(file: Rc<File>, mut task: Task) -> io::Result<u64> {
    let size = task.block_bytes();
    let mut buffer = Buffer { read: None, write: vec![0; size] };
    while let Some(step) = task.next_step(&mut buffer) {
        let result = match (&*file, step) {
            (File::Buffered(file), Step::Read(at)) => file.read_at(at, size).await.map(|read| buffer.take(read)),
            (File::Direct(file), Step::Read(at)) => file.read_at_aligned(at, size).await.map(|read| buffer.take(read)),
            (File::Buffered(file), Step::Write(at)) => file.write_at(buffer.write.clone(), at).await,
            (File::Buffered(file), Step::Sync) => file.fdatasync().await.map(|()| 0),
            (File::Direct(_), Step::Write(_) | Step::Sync) => {
                unreachable!("direct files are only read")
            }
        };
        task.done(result.map_err(io::Error::from), &buffer)?;
    }
    Ok(task.ops())
}

impl Buffer {
    /// Keeps what a read returned; its length.
    fn take(&mut self, read: ReadResult) -> usize {
        self.read.insert(read).len()
    }
}

impl Content for Buffer {
    fn filled(&self) -> &[u8] {
        self.read.as_deref().unwrap_or_default()
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.write
    }
}
