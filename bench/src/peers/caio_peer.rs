//! caio, the library under test: on each executor, and one backend or driver alone.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use async_executor::Executor;
use async_io::Async;
use caio::{AlignedBuf, BackendKind, Context, Driver, SharedFd};
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, TryStreamExt};
use tokio::io::unix::AsyncFd;

use crate::buffer::Content;
use crate::lane::Lanes;
use crate::measure::{Maker, Runner};
use crate::peers::tokio_blocking::{multi_thread, run_all};
use crate::peers::{Kind, Peer, Shape, does_io};
use crate::plan::Workload;
use crate::task::{Job, Step, Task};

/// The rows.
pub(super) const PEERS: [Peer; 12] = [
    row("caio-tokio-mt", "caio on tokio multi-thread", Kind::Automatic, does_io, |job| {
        on_tokio_multi_thread(job, Context::new()?)
    }),
    row("caio-tokio-ct", "caio on tokio current-thread", Kind::Automatic, does_io, on_tokio_current_thread),
    row("caio-smol", "caio on smol", Kind::Automatic, does_io, on_smol),
    row("caio-block-on", "caio on futures' block_on", Kind::Automatic, does_io, on_block_on),
    row("caio-thread", "caio, threads alone", Kind::Forced, does_io, |job| {
        on_tokio_multi_thread(job, forced(BackendKind::Thread)?)
    }),
    row("caio-aio", "caio, kernel AIO alone", Kind::Forced, direct, |job| {
        on_tokio_multi_thread(job, forced(BackendKind::Aio)?)
    }),
    row("caio-asyncfd", "caio, io_uring driven by tokio's AsyncFd", Kind::Forced, direct, driven_by_tokio),
    row("caio-async-io", "caio, io_uring driven by async-io", Kind::Forced, direct, driven_by_async_io),
    row("caio-create", "caio Context", Kind::Automatic, Workload::makes, |job| making(job, None)),
    row("caio-make-uring", "caio Context, io_uring", Kind::Forced, Workload::makes, |job| {
        making(job, Some(BackendKind::Uring))
    }),
    row("caio-make-aio", "caio Context, kernel AIO", Kind::Forced, Workload::makes, |job| {
        making(job, Some(BackendKind::Aio))
    }),
    row("caio-make-thread", "caio Context, threads", Kind::Forced, Workload::makes, |job| {
        making(job, Some(BackendKind::Thread))
    }),
];

/// Alignment that direct I/O asks for.
const ALIGN_BYTES: usize = 4096;
/// Completions that a driver delivers in one go.
const REAP_MAX: usize = 128;

/// The backend that is chosen automatically.
pub(super) fn chosen_backend() -> String {
    Context::new().map_or_else(|error| format!("none ({error})"), |context| context.backend().to_string())
}

/// A row.
const fn row(
    id: &'static str,
    label: &'static str,
    kind: Kind,
    applies: fn(&Workload) -> bool,
    build: fn(&Arc<Job>) -> io::Result<Box<dyn Runner>>,
) -> Peer {
    Peer { id, label, kind, shape: Shape::Shared, applies, build }
}

/// The workloads that need the kernel to wait for the device.
fn direct(workload: &Workload) -> bool {
    workload.direct
}

/// A context with one backend alone.
fn forced(backend: BackendKind) -> io::Result<Context> {
    Context::builder().backend(backend).build()
}

/// Nothing but contexts.
fn making(job: &Arc<Job>, backend: Option<BackendKind>) -> io::Result<Box<dyn Runner>> {
    let builder = Context::builder().max_requests(job.workload.depth);
    let builder = backend.map_or(builder.clone(), |backend| builder.backend(backend));
    Ok(Maker::of(job.workload, move || builder.clone().build()))
}

/// One runtime with the workload's workers.
fn on_tokio_multi_thread(job: &Arc<Job>, context: Context) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let fd = SharedFd::from(job.open()?);
    Lanes::start(1, move |lane| {
        let runtime = multi_thread(job.workload.workers)?;
        let (job, context, fd) = (job.clone(), context.clone(), fd.clone());
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, 1).into_iter();
            run_all(&runtime, tasks.map(|task| work(context.clone(), fd.clone(), task)))
        }))
    })
}

/// One runtime a thread, one context for all.
fn on_tokio_current_thread(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    let context = Context::new()?;
    let fd = SharedFd::from(job.open()?);
    Lanes::start(lanes, move |lane| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (job, context, fd) = (job.clone(), context.clone(), fd.clone());
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, lanes).into_iter();
            run_all(&runtime, tasks.map(|task| work(context.clone(), fd.clone(), task)))
        }))
    })
}

/// One executor that all threads run, each with async-io's reactor.
fn on_smol(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    let executor = Arc::new(Executor::new());
    let context = Context::new()?;
    let fd = SharedFd::from(job.open()?);
    Lanes::start(lanes, move |lane| {
        let (job, context, fd) = (job.clone(), context.clone(), fd.clone());
        let executor = executor.clone();
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, lanes).into_iter();
            let handles: Vec<_> = tasks.map(|task| executor.spawn(work(context.clone(), fd.clone(), task))).collect();
            async_io::block_on(executor.run(sum(handles)))
        }))
    })
}

/// No executor at all: every thread polls its own futures.
fn on_block_on(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    let context = Context::new()?;
    let fd = SharedFd::from(job.open()?);
    Lanes::start(lanes, move |lane| {
        let (job, context, fd) = (job.clone(), context.clone(), fd.clone());
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, lanes).into_iter();
            futures::executor::block_on(sum(tasks.map(|task| work(context.clone(), fd.clone(), task))))
        }))
    })
}

/// tokio's reactor reaps: no thread of the library's runs.
fn driven_by_tokio(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    Lanes::start(1, move |lane| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (context, mut driver) = Context::builder().backend(BackendKind::Uring).build_with_driver()?;
        let ready = {
            let _guard = runtime.enter();
            // SAFETY: the descriptor is ours, and it stays in the `AsyncFd` that owns it.
            unsafe { AsyncFd::register(descriptor(&driver)?)? }
        };
        let fd = SharedFd::from(job.open()?);
        let job = job.clone();
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, 1).into_iter();
            let tasks: Vec<_> = tasks.map(|task| runtime.spawn(work(context.clone(), fd.clone(), task))).collect();
            let tasks = async {
                let mut ops = 0;
                for task in tasks {
                    ops += task.await.map_err(io::Error::other)??;
                }
                Ok(ops)
            };
            let reaping = async {
                loop {
                    ready.readable().await?.clear_ready();
                    reap(&mut driver)?;
                }
            };
            runtime.block_on(until_done(tasks, reaping))
        }))
    })
}

/// async-io's reactor reaps: no thread of the library's runs.
fn driven_by_async_io(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    Lanes::start(1, move |lane| {
        let executor = Executor::new();
        let (context, mut driver) = Context::builder().backend(BackendKind::Uring).build_with_driver()?;
        let ready = Async::new_nonblocking(descriptor(&driver)?)?;
        let fd = SharedFd::from(job.open()?);
        let job = job.clone();
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, 1).into_iter();
            let tasks: Vec<_> = tasks.map(|task| executor.spawn(work(context.clone(), fd.clone(), task))).collect();
            let reaping = async {
                loop {
                    ready.readable().await?;
                    reap(&mut driver)?;
                }
            };
            async_io::block_on(executor.run(until_done(sum(tasks), reaping)))
        }))
    })
}

/// Carries out a task.
async fn work(context: Context, fd: SharedFd, mut task: Task) -> io::Result<u64> {
    let mut buffer = AlignedBuf::zeroed(task.block_bytes(), ALIGN_BYTES);
    while let Some(step) = task.next_step(&mut buffer) {
        let (result, back) = match step {
            Step::Read(at) => context.read_into(buffer, &fd, at).await,
            Step::Write(at) => context.write(buffer, &fd, at).await,
            Step::Sync => (context.fdsync(&fd).await.map(|()| 0), buffer),
        };
        buffer = back;
        task.done(result, &buffer)?;
    }
    Ok(task.ops())
}

/// Awaits all of them at once and adds up their operations.
async fn sum<F>(tasks: impl IntoIterator<Item = F>) -> io::Result<u64>
where
    F: Future<Output = io::Result<u64>>,
{
    let tasks: FuturesUnordered<_> = tasks.into_iter().collect();
    tasks.try_fold(0, |sum, ops| async move { Ok(sum + ops) }).await
}

/// Reaps until the tasks are done.
async fn until_done(
    tasks: impl Future<Output = io::Result<u64>>,
    reaping: impl Future<Output = io::Result<u64>>,
) -> io::Result<u64> {
    match select(std::pin::pin!(tasks), std::pin::pin!(reaping)).await {
        Either::Left((result, _)) | Either::Right((result, _)) => result,
    }
}

/// Delivers every completion that is there.
fn reap(driver: &mut Driver) -> io::Result<()> {
    while driver.reap(REAP_MAX, 0, Some(Duration::ZERO))? == REAP_MAX {}
    Ok(())
}

/// A descriptor of the driver's own for a reactor to hold.
fn descriptor(driver: &Driver) -> io::Result<OwnedFd> {
    driver.as_fd().try_clone_to_owned()
}

impl Content for AlignedBuf {
    fn filled(&self) -> &[u8] {
        self
    }

    fn room(&mut self) -> &mut [u8] {
        self
    }
}
