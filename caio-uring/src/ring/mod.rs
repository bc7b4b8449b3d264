//! One io_uring: entries go in by `submission.rs`, completions come out by `completion.rs`.

mod completion;
mod submission;

pub(crate) use completion::{Contended, Cqe};
pub(crate) use submission::{Budget, Flushed};

use caio_core::Key;
use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, opcode};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use submission::{Staging, Submission};

/// The `user_data` of requests whose completion tells nothing: cancels. No key has these bits.
const SILENT: u64 = u64::MAX;

/// The `user_data` of an operation, by which a cancel names it too.
pub(crate) fn user_data(key: Key) -> u64 {
    key.as_u64()
}

/// One io_uring.
///
/// An entry is staged in memory of ours first, and a copy of its `user_data` is kept until the
/// kernel has taken it: so a full queue needs no handling of its own, and after a flush that failed
/// it is known who has what.
pub(crate) struct Ring {
    /// The queues. # Invariant: its submission queue is used under `submission` only, its
    /// completion queue under `completion` only.
    uring: IoUring,
    /// Entries that are not in the kernel's queue. Locked for moments, never during a system call.
    staging: Mutex<Staging>,
    /// Locked by whoever enters the kernel to submit. Nobody waits for it: who finds it locked sets
    /// `wanted`, and leaves the work to whoever has it.
    submission: Mutex<Submission>,
    /// Whether whoever holds `submission` must look again before it leaves.
    wanted: AtomicBool,
    /// Locked while completions are taken.
    completion: Mutex<()>,
    /// How many entries the kernel has not taken, cancels included.
    staged: AtomicUsize,
    /// How many operations have no completion yet, staged ones included.
    operations: AtomicUsize,
    /// How many cancels the kernel has.
    silent: AtomicUsize,
    /// How many cancels it may have at a time, so that completions never exceed their queue.
    max_silent: usize,
    /// How many completions have been taken so far.
    reaped: AtomicUsize,
    /// Whether the kernel can be told to signal no completions (Linux 5.8).
    can_disable_eventfd: bool,
    /// Whether the kernel signals completions; changed under the completion lock.
    eventfd_enabled: AtomicBool,
    /// Counts the system calls that submit, for tests.
    submissions: Arc<AtomicUsize>,
}

impl Ring {
    /// Wraps a ring for at most `max_requests` operations.
    pub(crate) fn new(uring: IoUring, max_requests: usize, submissions: Arc<AtomicUsize>) -> Self {
        let entries = uring.params().cq_entries() as usize;
        Self {
            // The flag came with 5.8 and announces itself by nothing; this feature came with 5.9.
            can_disable_eventfd: uring.params().is_feature_poll_32bits(),
            uring,
            staging: Mutex::default(),
            submission: Mutex::default(),
            wanted: AtomicBool::new(false),
            completion: Mutex::new(()),
            staged: AtomicUsize::new(0),
            operations: AtomicUsize::new(0),
            silent: AtomicUsize::new(0),
            max_silent: entries.saturating_sub(max_requests).max(1),
            reaped: AtomicUsize::new(0),
            eventfd_enabled: AtomicBool::new(true),
            submissions,
        }
    }

    /// How many operations have no completion yet.
    pub(crate) fn operations(&self) -> usize {
        self.operations.load(Ordering::Acquire)
    }

    /// How many entries the kernel has not taken.
    pub(crate) fn staged(&self) -> usize {
        self.staged.load(Ordering::Relaxed)
    }

    /// How many operations the kernel has.
    pub(crate) fn entered(&self) -> usize {
        self.operations.load(Ordering::Relaxed).saturating_sub(self.staged())
    }

    /// How many completions have been taken so far. It wraps around.
    pub(crate) fn reaped(&self) -> usize {
        self.reaped.load(Ordering::Relaxed)
    }

    /// Stages a cancel of an operation.
    pub(crate) fn stage_cancel(&self, key: Key) {
        self.stage_silent(opcode::AsyncCancel::new(user_data(key)).build());
    }

    /// Stages a request that does nothing.
    pub(crate) fn stage_nop(&self) {
        self.stage_silent(opcode::Nop::new().build());
    }

    /// Has the kernel cancel all operations that it has. `false` if it cannot (Linux before 6.0),
    /// and each must be cancelled by itself.
    pub(crate) fn cancel_all(&self) -> bool {
        // What has begun ends by itself, and is not waited for.
        let no_wait = Timespec::from(Duration::ZERO);
        match self.uring.submitter().register_sync_cancel(Some(no_wait), CancelBuilder::any()) {
            Ok(()) => true,
            Err(error) => matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EALREADY | libc::ETIME)),
        }
    }

    /// Whether threads may wait in the kernel for completions, for some time: Linux 5.11.
    pub(crate) fn can_wait(&self) -> bool {
        self.can_disable_eventfd && self.uring.params().is_feature_ext_arg() && !self.uring.params().is_setup_sqpoll()
    }

    /// Waits until `count` more completions have come than were taken when it began, or the time is
    /// up: the kernel does not say which if there are any. `false` if it refuses to.
    /// [`Ring::can_wait`] must hold.
    pub(crate) fn wait(&self, count: usize, timeout: Duration) -> bool {
        let timeout = Timespec::from(timeout);
        let arguments = SubmitArgs::new().timespec(&timeout);
        let flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        // SAFETY: the flags say what the argument is, and it and its time outlive the call.
        let waited = unsafe { self.uring.submitter().enter(0, count as u32, flags.bits(), Some(&arguments)) };
        !matches!(waited, Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)))
    }

    /// Looks for completions of a ring whose device is polled.
    pub(crate) fn poll_device(&self) {
        if self.uring.params().is_setup_iopoll() && self.operations() != 0 {
            drop(self.enter(0, EnterFlags::GETEVENTS));
        }
    }

    /// `io_uring_enter(2)`; the one place where it is made again after a signal.
    fn enter(&self, submit: usize, flags: EnterFlags) -> io::Result<usize> {
        loop {
            // SAFETY: no argument is passed, and the kernel checks the numbers.
            let entered =
                unsafe { self.uring.submitter().enter::<libc::sigset_t>(submit as u32, 0, flags.bits(), None) };
            match entered {
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                other => return other,
            }
        }
    }
}
