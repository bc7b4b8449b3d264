//! The executors of a run.

use std::future::Future;
use std::thread;

/// An executor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Executor {
    /// `futures::executor::block_on`, tasks joined in one future.
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
    /// All of them, with their names in `CAIO_TEST_EXECUTOR`.
    const ALL: [(&'static str, Self); 5] = [
        ("block_on", Self::BlockOn),
        ("async-executor", Self::Async),
        ("tokio-current", Self::TokioCurrent),
        ("tokio-multi", Self::TokioMulti),
        ("smol", Self::Smol),
    ];

    /// Runs tasks to their end, each spawned where the executor spawns.
    pub(crate) fn run<F>(self, tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self {
            Self::BlockOn => futures::executor::block_on(futures::future::join_all(tasks)),
            Self::Async => on_async_executor(tasks),
            Self::TokioCurrent => on_tokio(tokio::runtime::Builder::new_current_thread(), tasks),
            Self::TokioMulti => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(2);
                on_tokio(builder, tasks)
            }
            Self::Smol => {
                let tasks: Vec<_> = tasks.into_iter().map(smol::spawn).collect();
                smol::block_on(futures::future::join_all(tasks))
            }
        }
    }
}

/// The executors of this run.
pub(crate) fn executors() -> Vec<Executor> {
    let wanted = std::env::var("CAIO_TEST_EXECUTOR").ok();
    let chosen = Executor::ALL.into_iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name));
    let chosen: Vec<_> = chosen.map(|(_, executor)| executor).collect();
    assert!(
        !chosen.is_empty(),
        "CAIO_TEST_EXECUTOR={wanted:?} names none of {:?}",
        Executor::ALL.map(|(name, _)| name)
    );
    chosen
}

/// Runs tasks on a tokio runtime.
fn on_tokio<F>(mut builder: tokio::runtime::Builder, tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = builder.enable_all().build().expect("a runtime");
    let tasks: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
    let joined = runtime.block_on(futures::future::join_all(tasks));
    joined.into_iter().map(|result| result.expect("the task did not panic")).collect()
}

/// Runs tasks on `async_executor`, with a second thread beside the caller's.
fn on_async_executor<F>(tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let executor = async_executor::Executor::new();
    let tasks: Vec<_> = tasks.into_iter().map(|task| executor.spawn(task)).collect();
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| futures::executor::block_on(executor.run(stopped)));
        let results = futures::executor::block_on(executor.run(futures::future::join_all(tasks)));
        drop(stop);
        results
    })
}
