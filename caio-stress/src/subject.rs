//! The backends, routes and executors of a round.

use crate::rng::Rng;
use caio::{BackendKind, Context};
use futures::future::join_all;
use std::future::Future;
use std::io;
use std::time::Duration;

/// How a context is opened.
type Open = fn(usize) -> io::Result<Context>;

/// A backend with routes, by name.
pub(crate) const SUBJECTS: [(&str, Open); 9] = [
    ("uring", |bound| caio::uring::Uring::builder().max_requests(bound).build()),
    ("uring-ring", |bound| uring(bound, caio::uring::Route::Ring)),
    ("uring-pool", |bound| uring(bound, caio::uring::Route::Pool)),
    ("uring-shards", |bound| caio::uring::Uring::builder().max_requests(bound).shards(2).build()),
    ("uring-sqpoll", |bound| {
        caio::uring::Uring::builder().max_requests(bound).sqpoll(Duration::from_millis(1)).build()
    }),
    ("aio", |bound| caio::aio::Aio::builder().max_requests(bound).build()),
    ("thread", |bound| Context::builder().backend(BackendKind::Thread).max_requests(bound).build()),
    ("thread-one", |bound| Context::builder().backend(BackendKind::Thread).pool_size(1).max_requests(bound).build()),
    ("portable", |bound| Context::builder().backend(BackendKind::Thread).portable(true).max_requests(bound).build()),
];

/// A ring with one route for all.
fn uring(bound: usize, route: caio::uring::Route) -> io::Result<Context> {
    caio::uring::Uring::builder().max_requests(bound).routes(caio::uring::Routes::all(route)).build()
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
