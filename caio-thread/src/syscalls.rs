//! What a platform does for the pool's workers.

use caio_core::{Finished, Request, SharedFd};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Makes the system calls of the pool's workers: one implementation a platform.
pub(crate) trait Syscalls: Send + Sync + 'static {
    /// Carries an operation out in the calling worker, however long it takes. A panic is the
    /// operation's error.
    fn perform(&self, request: Request) -> Finished;

    /// Brings a file, or only its data, to the disk.
    fn sync(&self, fd: &SharedFd, data_only: bool) -> io::Result<()>;
}

/// Makes a call; a panic becomes an error.
pub(crate) fn caught(call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        // Dropping it may panic as well.
        std::mem::forget(payload);
        Err(io::Error::other("the operation panicked in its worker"))
    })
}
