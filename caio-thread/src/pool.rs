//! The pool as its users hold it.

use crate::routes::Route;
use crate::shared::Shared;
use crate::{PoolSettings, platform};
use caio_core::{Completer, Finished, Key, Request};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Threads that carry operations out; a cheap clone. None is started before there is work, and none
/// stays without.
///
/// It grows only while work waits and nobody is about to take it. Buffered writes to one file are
/// carried out one after the other, since they would contend for the file's lock, and so are
/// transfers at the file's own position; waiting syncs of one file share a system call; what waits
/// for a pipe, a socket or a device occupies no worker. When the last handle is dropped it shuts
/// down, without blocking.
///
/// ```
/// use caio_core::{Completer, Finished, Request};
/// use caio_thread::{Pool, PoolSettings};
/// fn take_over(request: Request, completer: Completer) -> Result<Pool, Finished> {
///     let pool = Pool::new(PoolSettings::default(), completer);
///     pool.submit(request)?;
///     Ok(pool)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Pool(Arc<Handle>);

/// What the clones share; no thread holds it, so that its end is the pool's.
#[derive(Debug)]
struct Handle {
    /// What threads share with it.
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.shutdown();
    }
}

/// What a pool has done so far, for its tests.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Workers that were started.
    pub started: u64,
    /// Workers that there are.
    pub workers: usize,
    /// System calls that brought files to the disk.
    pub syncs: u64,
}

impl Pool {
    /// Makes a pool that delivers through the completer, or into the mailbox of its settings.
    /// Starts no thread.
    #[must_use]
    pub fn new(settings: PoolSettings, completer: Completer) -> Self {
        let (syscalls, waits) = (platform::syscalls(&settings), platform::waits(&settings));
        let settings = PoolSettings { max_threads: settings.max_threads.max(1), ..settings };
        Self(Arc::new(Handle { shared: Arc::new(Shared::new(settings, completer, syscalls, waits)) }))
    }

    /// Takes an operation over; it is delivered later, never in the caller's stack.
    ///
    /// # Errors
    /// The request, ended: the pool was shut down, a stream had an answer at once, or there is no
    /// thread and none can be started.
    pub fn submit(&self, request: Request) -> Result<(), Finished> {
        let shared = &self.0.shared;
        shared.in_flight.fetch_add(1, Ordering::Relaxed);
        let taken = match shared.route(&request) {
            Route::Waits => shared.waits.submit(shared, request),
            route => shared.enqueue(request, route),
        };
        taken.inspect_err(|_| shared.leave())
    }

    /// Tries to end an operation early, and says whether it has one of this key. What is queued or
    /// waits for a stream ends as cancelled; a transfer that has begun goes on.
    pub fn cancel(&self, key: Key) -> bool {
        let shared = &self.0.shared;
        if let Some(request) = shared.waits.cancel(key) {
            shared.finish(request.cancelled());
            return true;
        }
        let mut state = shared.lock();
        let removed = state.queue.cancel(key, |request| shared.route(request));
        shared.publish(&state);
        let running = state.queue.is_running(key);
        drop(state);
        match removed {
            Some(request) => {
                shared.discard(request, Request::cancelled);
                true
            }
            None => running,
        }
    }

    /// A future parks: whoever takes what is queued must not depend on a task's code. For
    /// [`Backend::arm`](caio_core::Backend::arm).
    ///
    /// A worker that is delivering is about to look for more, and is not joined by another one
    /// before this is called.
    pub fn arm(&self) {
        self.0.shared.arm();
    }

    /// How many operations it has that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Takes no more operations, cancels what has not begun and delivers it; its threads end by
    /// themselves. Never blocks, and may be called again.
    pub fn shutdown(&self) {
        self.0.shared.shutdown();
    }

    /// What it has done so far.
    #[doc(hidden)]
    #[must_use]
    pub fn counters(&self) -> Counters {
        let shared = &self.0.shared;
        Counters {
            started: shared.started.load(Ordering::Relaxed),
            workers: shared.lock().workers,
            syncs: shared.syncs.load(Ordering::Relaxed),
        }
    }
}
