//! What may wait for ever, on Windows: a pipe or a console is waited for in a blocking call.
//!
//! Such a call cannot be ended. So that it holds up no file, a second pool makes it, of a bounded
//! number of threads; each file and direction has one call at a time. What has not begun can be
//! cancelled; what has begun ends when the file has an answer.

use crate::PoolSettings;
use crate::platform;
use crate::routes::{Lane, Route};
use crate::shared::Shared;
use caio_core::{Finished, Key, Request};
use std::sync::{Arc, OnceLock};

/// How many calls wait at a time; more operations wait for these.
const MAX_THREADS: usize = 64;

/// The operations of one pool that may wait for ever: those of a pool of their own.
#[derive(Default)]
pub(crate) struct Waits(OnceLock<Arc<Shared>>);

impl Waits {
    /// Lets an operation wait in its turn.
    pub(crate) fn submit(&self, pool: &Arc<Shared>, request: Request) -> Result<(), Finished> {
        let own = self.0.get_or_init(|| {
            let settings = PoolSettings { max_threads: MAX_THREADS, ..pool.settings.clone() };
            let syscalls = platform::syscalls(&settings);
            let mut own = Shared::new(settings, pool.completer.clone(), syscalls, Self::default());
            own.in_flight = Arc::clone(&pool.in_flight);
            Arc::new(own)
        });
        let route = route(&request);
        own.enqueue(request, route)
    }

    /// Takes an operation out that has not begun.
    pub(crate) fn cancel(&self, key: Key) -> Option<Request> {
        let own = self.0.get()?;
        own.lock().queue.cancel(key, route)
    }

    /// Lets nothing begin any more, and ends what has not begun.
    pub(crate) fn stop(&self) -> Vec<Request> {
        self.0.get().iter().for_each(|own| own.shutdown());
        Vec::new()
    }

    /// No worker of the pool is given what waits.
    pub(crate) fn perform(&self, pool: &Arc<Shared>, request: Request) {
        pool.finish(pool.syscalls.perform(request));
    }

    /// No worker of the pool is given what waits.
    pub(crate) fn release(&self, _pool: &Arc<Shared>, _request: &Request) {}
}

/// The way of an operation through the pool of those that wait.
fn route(request: &Request) -> Route {
    let file = request.fd().id();
    Route::Lane(if request.op().is_read() { Lane::StreamReads(file) } else { Lane::StreamWrites(file) })
}
