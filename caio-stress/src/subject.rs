//! The backends, routes and executors of a round.

use crate::rng::Rng;
use caio::aio::Aio;
use caio::uring::{Route, Routes, Uring};
use caio::{BackendKind, Context, Driver};
use futures::future::join_all;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How a context is opened; with a driver where it has one.
type Open = fn(usize) -> io::Result<(Context, Option<Driver>)>;

/// A backend with routes, by name.
pub(crate) const SUBJECTS: [(&str, Open); 14] = [
    ("uring", |bound| alone(Uring::builder().max_requests(bound).build())),
    ("uring-ring", |bound| alone(ring(bound).build())),
    ("uring-pool", |bound| alone(Uring::builder().max_requests(bound).routes(Routes::all(Route::Pool)).build())),
    ("uring-shards", |bound| alone(Uring::builder().max_requests(bound).shards(2).build())),
    ("uring-sqpoll", |bound| alone(ring(bound).sqpoll(Duration::from_millis(1)).build())),
    ("uring-iopoll", |bound| alone(ring(bound).iopoll(true).build())),
    ("uring-driven", |bound| driven(Uring::builder().max_requests(bound).build_with_driver())),
    ("aio", |bound| alone(Aio::builder().max_requests(bound).build())),
    ("aio-kernel", |bound| alone(Aio::builder().max_requests(bound).routes(caio::aio::Routes::Kernel).build())),
    ("aio-driven", |bound| driven(Aio::builder().max_requests(bound).build_with_driver())),
    ("thread", |bound| alone(threads(bound).build())),
    ("thread-one", |bound| alone(threads(bound).pool_size(1).build())),
    ("thread-driven", |bound| driven(threads(bound).build_with_driver())),
    ("portable", |bound| alone(threads(bound).portable(true).build())),
];

/// A context whose completions the library takes.
fn alone(built: io::Result<Context>) -> io::Result<(Context, Option<Driver>)> {
    built.map(|ctx| (ctx, None))
}

/// A context with its driver.
fn driven(built: io::Result<(Context, Driver)>) -> io::Result<(Context, Option<Driver>)> {
    built.map(|(ctx, driver)| (ctx, Some(driver)))
}

/// A ring for everything.
fn ring(bound: usize) -> caio::uring::Builder {
    Uring::builder().max_requests(bound).routes(Routes::all(Route::Ring))
}

/// Threads.
fn threads(bound: usize) -> caio::Builder {
    Context::builder().backend(BackendKind::Thread).max_requests(bound)
}

/// A context, and an event loop that drives it where it has a driver; the loop ends some time after this goes.
pub(crate) struct Opened {
    /// The context.
    pub(crate) ctx: Context,
    /// Tells the loop to end.
    stop: Arc<AtomicBool>,
}

impl Opened {
    /// Opens a subject.
    pub(crate) fn new(subject: usize, bound: usize) -> io::Result<Self> {
        let (ctx, driver) = SUBJECTS[subject].1(bound)?;
        let stop = Arc::new(AtomicBool::new(false));
        if let Some(driver) = driver {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || drive(driver, &stop));
        }
        Ok(Self { ctx, stop })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Waits for the driver's descriptor, and takes what is there.
fn drive(mut driver: Driver, stop: &AtomicBool) {
    let tick = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    while !stop.load(Ordering::Relaxed) {
        if poll(&mut [PollFd::new(&driver, PollFlags::IN)], Some(&tick)) == Ok(1) {
            driver.reap(64, 0, None).expect("it reaps");
        }
    }
}

/// An executor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Executor {
    /// `futures::executor::block_on`.
    BlockOn,
    /// `async_executor::Executor` on two threads.
    Async,
    /// tokio's current-thread runtime.
    TokioCurrent,
    /// tokio's multi-thread runtime with two workers.
    TokioMulti,
    /// smol's global executor.
    Smol,
}

impl Executor {
    /// One of them.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        rng.choose(&[Self::BlockOn, Self::Async, Self::TokioCurrent, Self::TokioMulti, Self::Smol])
    }

    /// Runs tasks to their end.
    pub(crate) fn run<F>(self, tasks: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self {
            Self::BlockOn => drop(futures::executor::block_on(join_all(tasks))),
            Self::Async => on_async_executor(tasks),
            Self::TokioCurrent => on_tokio(tokio::runtime::Builder::new_current_thread(), tasks),
            Self::TokioMulti => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(2);
                on_tokio(builder, tasks);
            }
            Self::Smol => {
                let tasks: Vec<_> = tasks.into_iter().map(smol::spawn).collect();
                drop(smol::block_on(join_all(tasks)));
            }
        }
    }
}

/// Runs tasks on a tokio runtime.
fn on_tokio<F>(mut builder: tokio::runtime::Builder, tasks: Vec<F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = builder.enable_all().build().expect("a runtime");
    let tasks: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
    for ended in runtime.block_on(join_all(tasks)) {
        ended.expect("a task that ends");
    }
}

/// Runs tasks on `async_executor`, with a second thread beside the caller's.
fn on_async_executor<F>(tasks: Vec<F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let executor = async_executor::Executor::new();
    let tasks: Vec<_> = tasks.into_iter().map(|task| executor.spawn(task)).collect();
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| futures::executor::block_on(executor.run(stopped)));
        futures::executor::block_on(executor.run(join_all(tasks)));
        drop(stop);
    });
}
