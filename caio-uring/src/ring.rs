//! One io_uring: entries go in under one lock, completions come out under another.

use io_uring::squeue::Entry;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// The `user_data` of requests whose completion tells nothing: cancels. No key has these bits.
pub(crate) const UNTOLD: u64 = u64::MAX;
/// The mark in the `user_data` of a transfer, which ends soon whatever anybody does. No key has this bit.
pub(crate) const TRANSFER: u64 = 1 << 31;

/// A completion: whose it is, and the system call's result or negative error number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cqe {
    /// The request's `user_data`.
    pub(crate) user_data: u64,
    /// The result.
    pub(crate) result: i32,
}

/// What came of a flush.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// The kernel has taken all, or will when the completions that are due have been reaped.
    Clean,
    /// The kernel has no memory for more, or wants completions to be reaped first: flush again later.
    Stuck,
    /// The ring can no longer be entered, with this error number. The kernel has not seen, and will never see, these requests.
    Barred(i32, Vec<u64>),
}

/// One io_uring.
///
/// An entry is staged in memory of ours first, and leaves it only once the kernel has taken it: so a full queue needs no handling
/// of its own, and after a flush that failed it is known who has what.
pub(crate) struct Ring {
    /// The queues. # Invariant: its submission queue is used under `submission` only, its completion queue under `completion` only.
    uring: IoUring,
    /// What goes in.
    submission: Mutex<Submission>,
    /// What comes out.
    completion: Mutex<()>,
    /// How many entries are staged, to be read without the lock.
    staged: AtomicUsize,
    /// How many requests have no completion yet, staged ones included.
    outstanding: AtomicUsize,
    /// How many of these tell nothing.
    untold: AtomicUsize,
    /// How many of these are transfers.
    transfers: AtomicUsize,
    /// How many completions have been taken so far.
    reaped: AtomicUsize,
    /// How many of these the kernel may have at a time, so that completions never exceed their queue.
    most_untold: usize,
    /// Whether the flag that disables notifications is there (Linux 5.8).
    can_mute: bool,
    /// Whether the kernel signals completions; changed under the completion lock.
    notifying: AtomicBool,
    /// Counts the system calls that submit.
    submissions: Arc<AtomicUsize>,
}

/// What the submission lock guards.
#[derive(Default)]
struct Submission {
    /// Entries that the kernel has not taken, oldest first.
    entries: VecDeque<Entry>,
    /// How many of them, from the oldest on, are in the kernel's queue already.
    queued: usize,
    /// Whether the kernel refused to be entered.
    barred: bool,
}

impl Ring {
    /// Wraps a ring for at most `max_requests` operations.
    pub(crate) fn new(uring: IoUring, max_requests: usize, submissions: Arc<AtomicUsize>) -> Self {
        let entries = uring.params().cq_entries() as usize;
        Self {
            // The flag came with 5.8 and announces itself by nothing; this feature came with 5.9.
            can_mute: uring.params().is_feature_poll_32bits(),
            uring,
            submission: Mutex::default(),
            completion: Mutex::new(()),
            staged: AtomicUsize::new(0),
            outstanding: AtomicUsize::new(0),
            untold: AtomicUsize::new(0),
            transfers: AtomicUsize::new(0),
            reaped: AtomicUsize::new(0),
            most_untold: entries.saturating_sub(max_requests).max(1),
            notifying: AtomicBool::new(true),
            submissions,
        }
    }

    /// Stages a request. Gives it back if the ring can no longer be entered.
    ///
    /// # Safety
    /// What the entry points to, and its file, stay until its completion was reaped, or until a flush has given it back.
    pub(crate) unsafe fn stage(&self, entry: Entry) -> Result<(), Entry> {
        let mut submission = lock(&self.submission);
        if submission.barred {
            return Err(entry);
        }
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        self.transfers.fetch_add(usize::from(is_transfer(entry.get_user_data())), Ordering::Relaxed);
        submission.entries.push_back(entry);
        self.staged.store(submission.entries.len(), Ordering::Release);
        Ok(())
    }

    /// Stages a request that points to nothing and whose completion tells nothing: a cancel.
    pub(crate) fn stage_untold(&self, entry: Entry) {
        // SAFETY: it points to nothing.
        drop(unsafe { self.stage(entry.user_data(UNTOLD)) });
    }

    /// How many requests have no completion yet.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    /// How many requests the kernel has not been told of.
    pub(crate) fn staged(&self) -> usize {
        self.staged.load(Ordering::Relaxed)
    }

    /// How many transfers have no completion yet.
    pub(crate) fn transfers(&self) -> usize {
        self.transfers.load(Ordering::Relaxed)
    }

    /// How many completions have been taken so far. It wraps around.
    pub(crate) fn reaped(&self) -> usize {
        self.reaped.load(Ordering::Relaxed)
    }

    /// How many of them the kernel has been told of.
    pub(crate) fn transfers_entered(&self) -> usize {
        self.transfers().saturating_sub(self.staged())
    }

    /// Hands what is staged to the kernel, with one system call where there is room for all.
    pub(crate) fn flush(&self) -> Flushed {
        if self.staged.load(Ordering::Acquire) == 0 {
            return Flushed::Clean;
        }
        let mut submission = lock(&self.submission);
        let flushed = self.flush_locked(&mut submission);
        self.staged.store(submission.entries.len(), Ordering::Release);
        drop(submission);
        if let Flushed::Barred(_, requests) = &flushed {
            let transfers = requests.iter().filter(|request| is_transfer(**request)).count();
            self.transfers.fetch_sub(transfers, Ordering::Relaxed);
            self.outstanding.fetch_sub(requests.len(), Ordering::AcqRel);
        }
        flushed
    }

    /// The same under the lock.
    fn flush_locked(&self, submission: &mut Submission) -> Flushed {
        loop {
            let (left, full) = self.queue(submission);
            if full && left < self.uring.params().sq_entries() as usize {
                continue; // the kernel's thread has made room meanwhile
            }
            if left == 0 || submission.barred {
                return Flushed::Clean;
            }
            // The kernel's thread completes requests before it makes their room in the queue known: so the queue may be full for
            // somebody who has just reaped the last completions, and nobody would flush again.
            let left_to_thread = if full { Flushed::Stuck } else { Flushed::Clean };
            let mut flags = EnterFlags::empty();
            if self.uring.params().is_setup_sqpoll() {
                if !self.needs_wakeup() {
                    return left_to_thread;
                }
                flags |= EnterFlags::SQ_WAKEUP;
            }
            self.submissions.fetch_add(1, Ordering::Relaxed);
            match self.enter(left, flags) {
                Ok(0) => return Flushed::Stuck,
                Ok(_) if self.uring.params().is_setup_sqpoll() => return left_to_thread,
                Ok(_) => self.flush_overflow(),
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY | libc::ENOMEM)) => {
                    return Flushed::Stuck;
                }
                Err(error) => return self.bar(submission, error.raw_os_error().unwrap_or(libc::EIO)),
            }
        }
    }

    /// Moves staged entries into the kernel's queue, as many as there is room for, and forgets those that the kernel has taken.
    /// Says how many are in the queue now, and whether there was no room for more.
    fn queue(&self, submission: &mut Submission) -> (usize, bool) {
        // SAFETY: the caller holds the submission lock, and every use of this queue does.
        let mut queue = unsafe { self.uring.submission_shared() };
        submission.forget_taken(queue.len());
        let mut full = false;
        while let Some(entry) = submission.entries.get(submission.queued) {
            let untold = entry.get_user_data() == UNTOLD;
            if untold && self.untold.load(Ordering::Relaxed) >= self.most_untold {
                break; // whoever reaps one of them flushes again
            }
            // SAFETY: whoever staged the entry promised that what it points to stays until its completion.
            if unsafe { queue.push(entry) }.is_err() {
                full = true;
                break;
            }
            submission.queued += 1;
            if untold {
                self.untold.fetch_add(1, Ordering::Relaxed);
            }
        }
        queue.sync();
        let left = queue.len();
        drop(queue);
        submission.forget_taken(left);
        (left, full)
    }

    /// Never enters the kernel again: what it has not taken is given back, but for what a kernel thread may yet take.
    fn bar(&self, submission: &mut Submission, errno: i32) -> Flushed {
        submission.barred = true;
        let may_take = self.uring.params().is_setup_sqpoll() && errno != libc::EOWNERDEAD;
        let keep = if may_take { submission.queued } else { 0 };
        let given_back = submission.entries.drain(keep..).map(|entry| entry.get_user_data()).collect();
        submission.queued = keep;
        Flushed::Barred(errno, given_back)
    }

    /// Whether the kernel's thread sleeps. The caller holds the submission lock.
    fn needs_wakeup(&self) -> bool {
        // SAFETY: as in `queue`.
        unsafe { self.uring.submission_shared() }.need_wakeup()
    }

    /// Has completions that did not fit their queue moved into it. The caller holds the submission lock.
    fn flush_overflow(&self) {
        // SAFETY: as in `queue`.
        if unsafe { self.uring.submission_shared() }.cq_overflow() {
            drop(self.enter(0, EnterFlags::GETEVENTS));
        }
    }

    /// Takes completions, as many as there are and `into` has room for. Says how many; 0 without a look if `wait` is not
    /// allowed and somebody else is taking them.
    pub(crate) fn reap(&self, into: &mut [Cqe], wait: bool) -> usize {
        let guard = match (wait, self.completion.try_lock()) {
            (_, Ok(guard)) => guard,
            (true, Err(TryLockError::WouldBlock)) => lock(&self.completion),
            (false, Err(TryLockError::WouldBlock)) => return 0,
            (_, Err(TryLockError::Poisoned(poisoned))) => poisoned.into_inner(),
        };
        // SAFETY: this is under the completion lock, and every use of this queue is.
        let mut queue = unsafe { self.uring.completion_shared() };
        let mut count = 0;
        let mut untold = 0;
        let mut transfers = 0;
        for (place, entry) in into.iter_mut().zip(&mut queue) {
            *place = Cqe { user_data: entry.user_data(), result: entry.result() };
            untold += usize::from(place.user_data == UNTOLD);
            transfers += usize::from(is_transfer(place.user_data));
            count += 1;
        }
        drop(queue);
        drop(guard);
        if count != 0 {
            self.reaped.fetch_add(count, Ordering::Relaxed);
            self.untold.fetch_sub(untold, Ordering::Relaxed);
            self.transfers.fetch_sub(transfers, Ordering::Relaxed);
            self.outstanding.fetch_sub(count, Ordering::AcqRel);
            // Whoever holds the lock looks for an overflow itself.
            if let Ok(submission) = self.submission.try_lock() {
                self.flush_overflow();
                drop(submission);
            }
        }
        count
    }

    /// Whether threads may wait in the kernel for completions, for some time: Linux 5.11.
    pub(crate) fn can_wait(&self) -> bool {
        self.can_mute && self.uring.params().is_feature_ext_arg() && !self.uring.params().is_setup_sqpoll()
    }

    /// Waits until `count` more completions have come than were taken when it began, or the time is up: the kernel does not say which
    /// if there are any. `false` if it refuses to. [`Ring::can_wait`] must hold.
    pub(crate) fn wait(&self, count: usize, timeout: Duration) -> bool {
        let timeout = Timespec::from(timeout);
        let arguments = SubmitArgs::new().timespec(&timeout);
        let flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        // SAFETY: the flags say what the argument is, and it and its time outlive the call.
        let waited = unsafe { self.uring.submitter().enter(0, count as u32, flags.bits(), Some(&arguments)) };
        !matches!(waited, Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)))
    }

    /// How many completions are there.
    pub(crate) fn ready(&self) -> usize {
        let guard = lock(&self.completion);
        // SAFETY: as in `reap`.
        let ready = unsafe { self.uring.completion_shared() }.len();
        drop(guard);
        ready
    }

    /// Looks for completions of a ring whose device is polled.
    pub(crate) fn poll_device(&self) {
        if self.uring.params().is_setup_iopoll() && self.outstanding() != 0 {
            drop(self.enter(0, EnterFlags::GETEVENTS));
        }
    }

    /// Whether the kernel signals completions.
    pub(crate) fn is_notifying(&self) -> bool {
        self.notifying.load(Ordering::Relaxed)
    }

    /// Has the kernel signal completions from now on. Says whether it did not before: then completions may be there already that
    /// were not signalled, and must be looked for.
    ///
    /// The caller's operation is in flight. `mute_if` takes `notifying` back before it asks whether anything is in flight, so
    /// either it sees the caller's operation, or the caller sees it taken back.
    pub(crate) fn notify(&self) -> bool {
        if self.notifying.load(Ordering::SeqCst) {
            return false;
        }
        let guard = lock(&self.completion);
        // SAFETY: as in `reap`.
        unsafe { self.uring.completion_shared() }.enable_eventfd();
        self.notifying.store(true, Ordering::SeqCst);
        drop(guard);
        // The kernel publishes a completion, then reads the flag; we clear the flag, then look for completions. With a full
        // barrier on both sides, at least one of us sees what the other did.
        fence(Ordering::SeqCst);
        true
    }

    /// Has the kernel signal no completions, if nothing is in flight.
    pub(crate) fn mute_if(&self, idle: impl FnOnce() -> bool) {
        if !self.can_mute || !self.is_notifying() {
            return;
        }
        let guard = lock(&self.completion);
        self.notifying.store(false, Ordering::SeqCst);
        if idle() {
            // SAFETY: as in `reap`.
            unsafe { self.uring.completion_shared() }.disable_eventfd();
        } else {
            self.notifying.store(true, Ordering::SeqCst);
        }
        drop(guard);
    }

    /// `io_uring_enter(2)`; the one place where it is made again after a signal.
    fn enter(&self, submit: usize, flags: EnterFlags) -> io::Result<usize> {
        loop {
            // SAFETY: no argument is passed, and the kernel checks the numbers.
            let entered =
                unsafe { self.uring.submitter().enter::<libc::sigset_t>(submit as u32, 0, flags.bits(), None) };
            match entered {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl Submission {
    /// Forgets the entries that the kernel has taken: all in its queue but `left`.
    fn forget_taken(&mut self, left: usize) {
        let taken = self.queued.saturating_sub(left);
        self.entries.drain(..taken);
        self.queued -= taken;
    }
}

/// Whether a request is a transfer.
fn is_transfer(user_data: u64) -> bool {
    user_data != UNTOLD && user_data & TRANSFER != 0
}

/// Locks; nothing under these locks panics, and a poisoned one guards data that is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
