//! The kernel's AIO context: the requests queued for it, those that it has, and the events that it gives back.

use caio_core::{Key, Op, Region, Request};
use caio_sys::aio::{
    AioContext, IOCB_CMD_FDSYNC, IOCB_CMD_FSYNC, IOCB_CMD_PREAD, IOCB_CMD_PREADV, IOCB_CMD_PWRITE, IOCB_CMD_PWRITEV,
    IOCB_FLAG_IOPRIO, IOCB_FLAG_RESFD, io_destroy, io_event, io_getevents, io_submit, iocb,
};
use caio_sys::eventfd::EventFd;
use caio_sys::rw::{RwFlags, iovec};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// How many requests one `io_submit` is given at most.
const BATCH: usize = 32;

const _: () = {
    assert!(size_of::<Region>() == size_of::<iovec>());
    assert!(align_of::<Region>() == align_of::<iovec>());
};

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

/// The kernel's AIO context.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Its name; `None` once it is destroyed, because the kernel may then give the name to another one. Locked for reading
    /// during a call, and for writing only to take it away.
    context: RwLock<Option<AioContext>>,
    /// Signalled by the kernel at every completion.
    completed: Arc<EventFd>,
    /// Requests that the kernel has not been given, oldest first.
    queue: Mutex<VecDeque<iocb>>,
    /// How many requests the kernel has, or is just being given, or has given back and are being delivered.
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
        // What leaves the queue counts as out, and what returns to it no longer does, under this lock or after it.
        let queue = self.queue();
        queue.is_empty() && self.out.load(Ordering::SeqCst) == 0
    }

    /// Queues a request. With `nowait` the kernel refuses it where it would block.
    pub(crate) fn queue_up(&self, request: Request, nowait: bool) {
        let entry = self.prepare(request, nowait);
        self.queue().push_back(entry);
    }

    /// Takes a request out of the queue, if the kernel has not been given it.
    pub(crate) fn withdraw(&self, key: Key) -> bool {
        let mut queue = self.queue();
        let place = queue.iter().position(|entry| entry.aio_data == key.as_u64());
        place.and_then(|place| queue.remove(place)).is_some()
    }

    /// Gives the kernel all that is queued; `reject` is told each one that it does not take, and why, without a lock.
    ///
    /// Where the kernel has no room the rest stays queued, until a completion makes room and whoever delivers it
    /// flushes; if none is to come, the first one is rejected.
    pub(crate) fn flush(&self, mut reject: impl FnMut(Key, io::Error)) {
        if self.queue().is_empty() {
            return;
        }
        let mut batch = [iocb::default(); BATCH];
        loop {
            let count = self.next_batch(&mut batch);
            if count == 0 {
                return;
            }
            let left = self.hand_over(&mut batch[..count], &mut reject);
            if left == 0 {
                continue;
            }
            // Queued before it is looked whether anything is out: whoever delivers the last one sees the queue.
            self.put_back(&batch[count - left..count]);
            if self.lower(left) != 0 {
                return;
            }
            let first = self.queue().pop_front();
            if let Some(entry) = first {
                reject(Key::from_u64(entry.aio_data), no_room());
            }
        }
    }

    /// Takes completions that are there into `room`; [`delivered`](Self::delivered) must be told of them afterwards.
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

    /// Destroys the context. It waits, some 30 ms where nothing runs: nobody's task may call it. What the kernel still has
    /// completes, and nobody is told.
    pub(crate) fn destroy(&self) {
        let context = self.context.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(context) = context {
            let destroyed = io_destroy(context);
            debug_assert!(destroyed.is_ok(), "{destroyed:?}");
        }
    }

    /// The queue.
    fn queue(&self) -> MutexGuard<'_, VecDeque<iocb>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fewer requests are out; how many are now.
    fn lower(&self, count: usize) -> usize {
        let before = self.out.fetch_sub(count, Ordering::SeqCst);
        debug_assert!(before >= count);
        before - count
    }

    /// Takes what is to be submitted next from the queue; it counts as out.
    fn next_batch(&self, batch: &mut [iocb; BATCH]) -> usize {
        let mut queue = self.queue();
        let count = queue.len().min(BATCH);
        for (place, entry) in batch.iter_mut().zip(queue.drain(..count)) {
            *place = entry;
        }
        self.out.fetch_add(count, Ordering::SeqCst);
        count
    }

    /// Puts entries back to the head of the queue.
    fn put_back(&self, entries: &[iocb]) {
        let mut queue = self.queue();
        for entry in entries.iter().rev() {
            queue.push_front(*entry);
        }
    }

    /// Submits a batch; gives the number of those at its end for which there is no room.
    fn hand_over(&self, batch: &mut [iocb], reject: &mut impl FnMut(Key, io::Error)) -> usize {
        let mut pointers = [ptr::null_mut(); BATCH];
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
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                refused => {
                    // SAFETY: the pointer is to an entry of `batch`, which is borrowed mutably and outlives this call.
                    let key = Key::from_u64(unsafe { (*pointers[next]).aio_data });
                    reject(key, refused.err().unwrap_or_else(no_room));
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
            return Err(io::ErrorKind::Unsupported.into());
        };
        // SAFETY: the pointers come from `hand_over`, which has borrowed the entries. Each entry names the memory and the file of a
        // `Request` that was turned into its key: core keeps both until the key is completed, which happens when the kernel has
        // rejected the entry or given it back by an event.
        unsafe { io_submit(context, entries) }
    }

    /// Describes a request to the kernel, which from now on carries its key.
    fn prepare(&self, request: Request, nowait: bool) -> iocb {
        let (aio_lio_opcode, aio_buf, aio_nbytes) = match request.op() {
            Op::Read { region, .. } => (IOCB_CMD_PREAD, address(region.as_ptr()), region.len()),
            Op::Write { region, .. } => (IOCB_CMD_PWRITE, address(region.as_ptr()), region.len()),
            Op::Readv { regions, .. } => (IOCB_CMD_PREADV, address(regions.as_ptr()), regions.count()),
            Op::Writev { regions, .. } => (IOCB_CMD_PWRITEV, address(regions.as_ptr()), regions.count()),
            Op::Fsync => (IOCB_CMD_FSYNC, 0, 0),
            Op::Fdatasync => (IOCB_CMD_FDSYNC, 0, 0),
        };
        let priority = request.priority();
        iocb {
            aio_fildes: request.fd().as_raw_fd() as u32,
            aio_offset: request.op().offset().map_or(0, |offset| offset as i64),
            aio_data: request.into_key().as_u64(),
            aio_rw_flags: if nowait { RwFlags::NOWAIT.bits() } else { 0 },
            aio_lio_opcode,
            aio_buf,
            aio_nbytes: aio_nbytes as u64,
            aio_reqprio: priority.map_or(0, |priority| priority.as_u16() as i16),
            aio_flags: IOCB_FLAG_RESFD | if priority.is_some() { IOCB_FLAG_IOPRIO } else { 0 },
            aio_resfd: self.completed.as_raw_fd() as u32,
            ..iocb::default()
        }
    }
}

/// `io_submit(2)` of no request at all: whether it is allowed.
pub(crate) fn submit_nothing(context: AioContext) -> io::Result<()> {
    // SAFETY: there is no request that could name memory.
    unsafe { io_submit(context, &[]) }.map(drop)
}

/// The kernel has no room for a request.
fn no_room() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

/// An address as the kernel's interface carries it.
fn address<T>(pointer: *const T) -> u64 {
    pointer as usize as u64
}
