//! The kernel's AIO context: the requests queued for it, those that it has, and the events that it
//! gives back.

use crate::prep::prep;
use caio_core::support::lock;
use caio_core::{Key, Request};
use caio_sys::aio::{AioContext, io_destroy, io_event, io_getevents, io_submit, iocb};
use caio_sys::errno::{EAGAIN, Meaning};
use caio_sys::eventfd::EventFd;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How many requests one `io_submit` is given at most.
const MAX_BATCH: usize = 32;

/// How many batches one flush makes at most.
const MAX_BATCHES: usize = 16;
/// How many bytes one flush submits at most: `io_submit` pins their pages, some 0.1 ms for a MiB.
const MAX_PINNED: usize = 4 << 20;

thread_local! {
    /// How many requests the kernel has accepted from this thread.
    static SUBMITTED: Cell<u64> = const { Cell::new(0) };
}

/// How many requests the kernel has accepted from the calling thread: for tests of the routes.
#[doc(hidden)]
#[must_use]
pub fn submitted_here() -> u64 {
    SUBMITTED.get()
}

/// A request that the kernel has not been given.
#[derive(Clone, Copy, Debug)]
struct Staged {
    /// The request as the kernel reads it.
    entry: iocb,
    /// How many bytes it transfers.
    bytes: usize,
}

/// What came of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// The kernel has all, or gets the rest when it has completed something.
    Done,
    /// There is more than one caller may be held up for: flush again, elsewhere.
    More,
}

/// The kernel's AIO context.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Its name; `None` once it is destroyed, because the kernel may then give the name to another
    /// one. Locked for reading during a call, and for writing only to take it away.
    context: RwLock<Option<AioContext>>,
    /// Signalled by the kernel at every completion.
    completed: Arc<EventFd>,
    /// Requests that the kernel has not been given, oldest first.
    queue: Mutex<VecDeque<Staged>>,
    /// How many requests the kernel has, or is just being given, or has given back and are being
    /// delivered.
    ///
    /// Invariant: a thread that lowers it flushes afterwards.
    out: AtomicUsize,
}

impl Ring {
    /// Wraps a context that takes at least `depth` requests.
    pub(crate) fn new(context: AioContext, completed: EventFd, depth: usize) -> Self {
        Self {
            context: RwLock::new(Some(context)),
            completed: Arc::new(completed),
            queue: Mutex::new(VecDeque::with_capacity(depth)),
            out: AtomicUsize::new(0),
        }
    }

    /// What the kernel signals at every completion.
    pub(crate) fn completed(&self) -> &Arc<EventFd> {
        &self.completed
    }

    /// Whether the kernel has nothing, and nothing is to be given to it.
    pub(crate) fn is_idle(&self) -> bool {
        self.left() == 0
    }

    /// How many requests the kernel has, or is to be given.
    pub(crate) fn left(&self) -> usize {
        // What leaves the queue counts as out, and what returns to it no longer does, under this
        // lock or after it.
        let queue = lock(&self.queue);
        queue.len() + self.out.load(Ordering::SeqCst)
    }

    /// Stages a request, which the kernel carries by its key from now on. With `nowait` the kernel
    /// refuses it where it would block the call.
    pub(crate) fn stage(&self, request: Request, nowait: bool) {
        let entry = prep(&request, nowait, self.completed.as_fd());
        let bytes = request.op().bytes();
        let _carried_by_the_kernel = request.into_key();
        lock(&self.queue).push_back(Staged { entry, bytes });
    }

    /// Takes a request out of the queue, if the kernel has not been given it.
    pub(crate) fn withdraw(&self, key: Key) -> bool {
        let mut queue = lock(&self.queue);
        let place = queue.iter().position(|staged| staged.entry.aio_data == key.as_u64());
        place.and_then(|place| queue.remove(place)).is_some()
    }

    /// Takes all requests out of the queue.
    pub(crate) fn withdraw_all(&self) -> Vec<Key> {
        lock(&self.queue).drain(..).map(|staged| Key::from_u64(staged.entry.aio_data)).collect()
    }

    /// Gives the kernel what is staged; `refuse` is told each one that it does not take, and why,
    /// without a lock.
    ///
    /// Where the kernel has no room the rest stays staged, until a completion makes room and
    /// whoever delivers it flushes; if none is to come, the first one is refused.
    pub(crate) fn flush(&self, mut refuse: impl FnMut(Key, io::Error)) -> Flushed {
        if lock(&self.queue).is_empty() {
            return Flushed::Done;
        }
        let mut batch = [iocb::default(); MAX_BATCH];
        let mut bytes = [0; MAX_BATCH];
        let mut room = MAX_PINNED;
        for _ in 0..MAX_BATCHES {
            let count = self.next_batch(&mut batch, &mut bytes, &mut room);
            if count == 0 {
                break;
            }
            let left = self.hand_over(&mut batch[..count], &mut refuse);
            if left == 0 {
                continue;
            }
            // Staged before it is looked whether anything is out: whoever delivers the last one
            // sees the queue.
            self.put_back(&batch[count - left..count], &bytes[count - left..count]);
            if self.lower(left) != 0 {
                return Flushed::Done;
            }
            let first = lock(&self.queue).pop_front();
            if let Some(Staged { entry, .. }) = first {
                refuse(Key::from_u64(entry.aio_data), no_room());
            }
        }
        if lock(&self.queue).is_empty() { Flushed::Done } else { Flushed::More }
    }

    /// Takes completions that are there into `room`; [`delivered`](Self::delivered) must be told of
    /// them afterwards.
    pub(crate) fn take<'room>(&self, room: &'room mut [MaybeUninit<io_event>]) -> &'room [io_event] {
        if self.out.load(Ordering::SeqCst) == 0 || room.is_empty() {
            return &[];
        }
        let context = self.context.read().unwrap_or_else(PoisonError::into_inner);
        let Some(context) = *context else {
            return &[];
        };
        // The only error is that there is no such context.
        io_getevents(context, 0, room, Some(Duration::ZERO)).map_or(&[], |events| events)
    }

    /// That many completions were delivered. The caller flushes afterwards.
    pub(crate) fn delivered(&self, count: usize) {
        self.lower(count);
    }

    /// Destroys the context. It waits, some 30 ms where nothing runs: nobody's task may call it.
    /// What the kernel still has completes, and nobody is told.
    pub(crate) fn destroy(&self) {
        let context = self.context.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(context) = context {
            let destroyed = io_destroy(context);
            debug_assert!(destroyed.is_ok(), "{destroyed:?}");
        }
    }

    /// Fewer requests are out; how many are now.
    fn lower(&self, count: usize) -> usize {
        let before = self.out.fetch_sub(count, Ordering::SeqCst);
        debug_assert!(before >= count);
        before - count
    }

    /// Takes what is to be submitted next from the queue, as long as there is `room` for its bytes;
    /// it counts as out.
    fn next_batch(&self, batch: &mut [iocb; MAX_BATCH], bytes: &mut [usize; MAX_BATCH], room: &mut usize) -> usize {
        let mut queue = lock(&self.queue);
        let mut count = 0;
        for ((entry, bytes), staged) in batch.iter_mut().zip(bytes).zip(queue.iter()) {
            if *room == 0 {
                break;
            }
            *room = room.saturating_sub(staged.bytes);
            (*entry, *bytes) = (staged.entry, staged.bytes);
            count += 1;
        }
        queue.drain(..count);
        self.out.fetch_add(count, Ordering::SeqCst);
        count
    }

    /// Puts requests back to the head of the queue.
    fn put_back(&self, entries: &[iocb], bytes: &[usize]) {
        let mut queue = lock(&self.queue);
        for (entry, bytes) in entries.iter().zip(bytes).rev() {
            queue.push_front(Staged { entry: *entry, bytes: *bytes });
        }
    }

    /// Submits a batch; gives the number of those at its end for which there is no room.
    fn hand_over(&self, batch: &mut [iocb], refuse: &mut impl FnMut(Key, io::Error)) -> usize {
        let mut pointers = [ptr::null_mut(); MAX_BATCH];
        let count = batch.len();
        for (pointer, entry) in pointers.iter_mut().zip(batch) {
            *pointer = ptr::from_mut(entry);
        }
        let mut next = 0;
        while next < count {
            match self.submit(&pointers[next..count]) {
                Ok(accepted) if accepted != 0 => {
                    SUBMITTED.set(SUBMITTED.get() + accepted as u64);
                    next += accepted;
                }
                Err(error) if Meaning::of(&error) == Meaning::WouldBlock => break,
                refused => {
                    // SAFETY: the pointer is to an entry of `batch`, which is borrowed mutably and
                    // outlives this call.
                    let key = Key::from_u64(unsafe { (*pointers[next]).aio_data });
                    refuse(key, refused.err().unwrap_or_else(no_room));
                    self.lower(1);
                    next += 1;
                }
            }
        }
        count - next
    }

    /// `io_submit(2)`.
    fn submit(&self, entries: &[*mut iocb]) -> io::Result<usize> {
        let context = self.context.read().unwrap_or_else(PoisonError::into_inner);
        let Some(context) = *context else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel's context was destroyed"));
        };
        // SAFETY: the pointers come from `hand_over`, which has borrowed the entries. Each entry
        // names the memory and the file of a `Request` that was turned into its key: core keeps
        // both until the key is completed, which happens when the kernel has refused the entry or
        // given it back by an event.
        unsafe { io_submit(context, entries) }
    }
}

/// `io_submit(2)` of no request at all: whether it is allowed.
pub(crate) fn submit_nothing(context: AioContext) -> io::Result<()> {
    // SAFETY: there is no request that could name memory.
    unsafe { io_submit(context, &[]) }.map(drop)
}

/// The kernel has no room for a request.
fn no_room() -> io::Error {
    io::Error::from_raw_os_error(EAGAIN)
}
