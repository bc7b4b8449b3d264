//! What goes into a ring: entries are staged, and handed to the kernel.
//!
//! Staging takes a short lock of its own. Entering the kernel takes another one, which is tried and
//! never waited for: so no poll waits for the system call of somebody else.

use super::{Ring, SILENT};
use caio_core::Key;
use caio_core::support::lock;
use io_uring::EnterFlags;
use io_uring::squeue::Entry;
use std::collections::VecDeque;
use std::sync::atomic::{Ordering, fence};
use std::sync::{MutexGuard, TryLockError};

/// The most bytes that the kernel may copy from or to the page cache during one flush.
const MAX_COPIED: usize = 256 * 1024;
/// The most entries that one flush hands over.
const MAX_ENTRIES: usize = 512;
/// The most system calls of one flush.
const MAX_CALLS: usize = 8;

/// What came of a flush.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// The kernel has taken all, or somebody else is handing it over, or it will be when the
    /// completions that are due have been reaped.
    Done,
    /// There is more than one caller may be held up for: flush again, elsewhere.
    More,
    /// The kernel has no memory for more, or wants completions to be reaped first: flush again
    /// later.
    Retry,
    /// The ring can no longer be entered, with this error number. The kernel has not seen, and will
    /// never see, these operations.
    Dead(i32, Vec<Key>),
}

/// How much longer a caller may be held up by flushing.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Bytes to copy.
    bytes: usize,
    /// Entries to hand over.
    entries: usize,
    /// System calls to make.
    calls: usize,
}

impl Budget {
    /// That of one flush.
    pub(crate) fn new() -> Self {
        Self { bytes: MAX_COPIED, entries: MAX_ENTRIES, calls: MAX_CALLS }
    }

    /// Takes a call out of it, if one is left.
    fn take_call(&mut self) -> bool {
        let left = self.calls != 0;
        self.calls = self.calls.saturating_sub(1);
        left
    }
}

/// An entry that is not in the kernel's queue.
struct Staged {
    /// The entry.
    entry: Entry,
    /// How long submitting it takes: as long as copying so many bytes.
    cost: usize,
}

/// Entries that are not in the kernel's queue.
#[derive(Default)]
pub(super) struct Staging {
    /// Those that are submitted in a moment, oldest first.
    prompt: VecDeque<Staged>,
    /// Those whose submission takes time. They come after the others, which they would hold up.
    bulky: VecDeque<Staged>,
    /// Cancels, which come after what they are to cancel.
    cancels: VecDeque<Staged>,
    /// Whether the ring can no longer be entered.
    dead: bool,
}

/// What is in the kernel's queue.
#[derive(Default)]
pub(super) struct Submission {
    /// The `user_data` of the entries that the kernel has not taken, oldest first.
    queued: Vec<u64>,
}

/// What is in the kernel's queue after as much as possible was moved there.
struct Queued {
    /// How many entries the kernel is to take.
    left: usize,
    /// Why others are not.
    others: Others,
}

/// Why entries are still staged.
enum Others {
    /// There are none; or cancels whose time comes when others have been reaped.
    None,
    /// There was no room for them.
    NoRoom,
    /// They would hold up the caller.
    OverBudget,
}

impl Ring {
    /// Stages an operation whose submission takes as long as copying so many bytes. Gives it back
    /// if the ring can no longer be entered.
    ///
    /// # Safety
    /// What the entry points to, and its file, stay until its completion was reaped, or until a
    /// flush has given it back.
    pub(crate) unsafe fn stage(&self, entry: Entry, cost: usize) -> Result<(), Entry> {
        let mut staging = lock(&self.staging);
        if staging.dead {
            return Err(entry);
        }
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.staged.fetch_add(1, Ordering::Relaxed);
        let queue = if cost == 0 { &mut staging.prompt } else { &mut staging.bulky };
        queue.push_back(Staged { entry, cost });
        Ok(())
    }

    /// Stages a request that points to nothing, and whose completion tells nothing.
    pub(super) fn stage_silent(&self, entry: Entry) {
        let mut staging = lock(&self.staging);
        if !staging.dead {
            self.staged.fetch_add(1, Ordering::Relaxed);
            staging.cancels.push_back(Staged { entry: entry.user_data(SILENT), cost: 0 });
        }
    }

    /// Hands what is staged to the kernel, unless somebody else does.
    pub(crate) fn flush(&self, budget: &mut Budget) -> Flushed {
        if self.staged.load(Ordering::Acquire) == 0 && !self.wanted.load(Ordering::Relaxed) {
            return Flushed::Done;
        }
        let mut wanted = false;
        loop {
            let Some(mut submission) = self.try_submission() else {
                return Flushed::Done;
            };
            if wanted {
                self.flush_overflow(&submission);
            }
            let flushed = self.flush_locked(&mut submission, budget);
            wanted = self.leave(submission);
            match flushed {
                flushed if !wanted => return flushed,
                Flushed::Done if budget.take_call() => {}
                flushed => {
                    self.wanted.store(true, Ordering::Relaxed); // for the next flush
                    return if matches!(flushed, Flushed::Done) { Flushed::More } else { flushed };
                }
            }
        }
    }

    /// Has completions that did not fit their queue moved into it. Says whether somebody wanted to
    /// flush meanwhile: then the caller must.
    pub(crate) fn check_overflow(&self) -> bool {
        let Some(submission) = self.try_submission() else {
            return false;
        };
        self.flush_overflow(&submission);
        self.leave(submission)
    }

    /// Takes the submission lock. `None` if somebody has it, who looks again before they leave.
    fn try_submission(&self) -> Option<MutexGuard<'_, Submission>> {
        let take = || match self.submission.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        take().or_else(|| {
            // Whoever has the lock gives it back and then reads the flag; we set the flag and then
            // try the lock. With a full barrier on both sides, at least one sees what the other
            // did.
            self.wanted.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            take()
        })
    }

    /// Gives the submission lock back. Says whether somebody wanted it meanwhile.
    fn leave(&self, submission: MutexGuard<'_, Submission>) -> bool {
        drop(submission);
        fence(Ordering::SeqCst);
        self.wanted.load(Ordering::Relaxed) && self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Hands over what is staged, with one system call where there is room for all.
    fn flush_locked(&self, submission: &mut Submission, budget: &mut Budget) -> Flushed {
        let sqpoll = self.uring.params().is_setup_sqpoll();
        loop {
            let Queued { left, others } = self.queue(submission, budget);
            let has_room = left < self.uring.params().sq_entries() as usize;
            if matches!(others, Others::NoRoom) && has_room && budget.take_call() {
                continue; // the kernel's thread has made room meanwhile
            }
            // The kernel's thread completes requests before it makes their room in the queue known:
            // so the queue may be full for somebody who has just reaped the last completions, and
            // nobody would flush again.
            let rest = match others {
                Others::None => Flushed::Done,
                Others::NoRoom => Flushed::Retry,
                Others::OverBudget => Flushed::More,
            };
            if left == 0 {
                return rest;
            }
            let all = matches!(others, Others::None).then_some(left);
            let mut flags = EnterFlags::empty();
            if sqpoll {
                if !self.needs_wakeup(submission) {
                    return rest;
                }
                flags |= EnterFlags::SQ_WAKEUP;
            }
            if !budget.take_call() {
                return Flushed::More;
            }
            self.submissions.fetch_add(1, Ordering::Relaxed);
            match self.enter(left, flags) {
                Ok(0) => return Flushed::Retry,
                Ok(_) if sqpoll => return rest,
                Ok(taken) => {
                    self.flush_overflow(submission);
                    if Some(taken) == all {
                        self.forget_taken(submission, 0);
                        return Flushed::Done; // who has staged more meanwhile wants the lock
                    }
                }
                Err(error) => match error.raw_os_error().unwrap_or(libc::EIO) {
                    libc::EAGAIN | libc::EBUSY | libc::ENOMEM => return Flushed::Retry,
                    errno => return self.give_up(submission, errno),
                },
            }
        }
    }

    /// Moves staged entries into the kernel's queue, and forgets those that the kernel has taken.
    fn queue(&self, submission: &mut Submission, budget: &mut Budget) -> Queued {
        // SAFETY: the caller holds the submission lock, and every use of this queue does.
        let mut queue = unsafe { self.uring.submission_shared() };
        self.forget_taken(submission, queue.len());
        let mut unlimited = Budget { bytes: usize::MAX, entries: usize::MAX, calls: 0 };
        let budget = if self.uring.params().is_setup_sqpoll() {
            &mut unlimited // the kernel's thread does the work, and holds up nobody
        } else {
            if !queue.is_empty() {
                budget.bytes = 0; // what an earlier flush has left there was not paid for by this one
            }
            budget
        };
        let mut staging = lock(&self.staging);
        let Staging { prompt, bulky, cancels, dead } = &mut *staging;
        let mut take = |from: &mut VecDeque<Staged>, most: usize| {
            if from.is_empty() {
                return 0;
            }
            let mut count = 0;
            for Staged { entry, cost } in from.iter().take(most.min(budget.entries)) {
                // SAFETY: whoever staged the entry promised that what it points to stays until its
                // completion.
                if *cost != 0 && budget.bytes == 0 || unsafe { queue.push(entry) }.is_err() {
                    break;
                }
                budget.bytes = budget.bytes.saturating_sub(*cost);
                submission.queued.push(entry.get_user_data());
                count += 1;
            }
            budget.entries -= count;
            if count == from.len() {
                from.clear()
            } else {
                drop(from.drain(..count))
            }
            count
        };
        take(prompt, usize::MAX);
        take(bulky, usize::MAX);
        if prompt.is_empty() && bulky.is_empty() && !cancels.is_empty() {
            let most = self.max_silent.saturating_sub(self.silent.load(Ordering::Relaxed));
            self.silent.fetch_add(take(cancels, most), Ordering::Relaxed);
        }
        let others = match () {
            () if prompt.is_empty() && bulky.is_empty() && cancels.is_empty() => Others::None,
            () if queue.is_full() => Others::NoRoom,
            () if budget.entries == 0 || !bulky.is_empty() => Others::OverBudget,
            () => Others::None, // cancels: whoever reaps one of those that the kernel has flushes again
        };
        let dead = *dead;
        drop(staging);
        queue.sync();
        let left = queue.len();
        drop(queue);
        self.forget_taken(submission, left);
        Queued { left: if dead { 0 } else { left }, others }
    }

    /// Forgets the entries that the kernel has taken: all in its queue but `left`.
    fn forget_taken(&self, submission: &mut Submission, left: usize) {
        let taken = submission.queued.len().saturating_sub(left);
        if taken != 0 {
            if left == 0 {
                submission.queued.clear()
            } else {
                drop(submission.queued.drain(..taken))
            }
            self.staged.fetch_sub(taken, Ordering::Relaxed);
        }
    }

    /// Never enters the kernel again: what it has not taken is given back, but for what a kernel
    /// thread may yet take.
    fn give_up(&self, submission: &mut Submission, errno: i32) -> Flushed {
        let may_take = self.uring.params().is_setup_sqpoll() && errno != libc::EOWNERDEAD;
        let keep = if may_take { submission.queued.len() } else { 0 };
        let mut given_back: Vec<u64> = submission.queued.drain(keep..).collect();
        let mut staging = lock(&self.staging);
        staging.dead = true;
        given_back.extend(staging.drain());
        drop(staging);
        self.staged.fetch_sub(given_back.len(), Ordering::Relaxed);
        let operations = given_back.into_iter().filter(|user_data| *user_data != SILENT).map(Key::from_u64);
        let operations: Vec<Key> = operations.collect();
        self.operations.fetch_sub(operations.len(), Ordering::AcqRel);
        Flushed::Dead(errno, operations)
    }

    /// Whether the kernel's thread sleeps.
    fn needs_wakeup(&self, _locked: &Submission) -> bool {
        // SAFETY: the submission lock is held, as its content shows.
        unsafe { self.uring.submission_shared() }.need_wakeup()
    }

    /// Has completions that did not fit their queue moved into it.
    fn flush_overflow(&self, _locked: &Submission) {
        // SAFETY: the submission lock is held, as its content shows.
        if unsafe { self.uring.submission_shared() }.cq_overflow() {
            drop(self.enter(0, EnterFlags::GETEVENTS));
        }
    }
}

impl Staging {
    /// Empties it, and gives the `user_data` of all.
    fn drain(&mut self) -> impl Iterator<Item = u64> {
        let all = self.prompt.drain(..).chain(self.bulky.drain(..)).chain(self.cancels.drain(..));
        all.map(|staged| staged.entry.get_user_data())
    }
}
