//! What a platform does for the pool.

use crate::pool::Shared;
use caio_core::{Finished, Key, Request, SharedFd};
use std::io;
use std::sync::Arc;

/// Carries operations out: one implementation a platform.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// Carries an operation out in the calling worker, however long it takes; it does not panic.
    fn perform(&self, request: Request) -> Finished;

    /// Brings a file, or only its data, to the disk.
    fn sync(&self, fd: &SharedFd, data_only: bool) -> io::Result<()>;

    /// Whether an operation on the file may have to wait for somebody else, for as long as that takes.
    fn may_wait(&self, fd: &SharedFd) -> bool;

    /// Carries out an operation of such a file, without occupying a worker while it waits.
    fn submit_stream(&self, pool: &Arc<Shared>, request: Request) -> Result<(), Finished>;

    /// Ends an operation that waits. `None` if there is none of this key.
    fn cancel_stream(&self, key: Key) -> Option<Request>;

    /// A request that was handed to the workers is not going to be performed.
    fn released(&self, _request: &Request) {}

    /// Lets nothing wait any more: gives back what does.
    fn stop(&self) -> Vec<Request>;
}
