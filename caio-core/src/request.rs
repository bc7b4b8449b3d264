//! The tokens that a backend is given: one for an attempt, one for a submission.

use crate::key::Key;
use crate::op::{IoPriority, Op, Region};
use crate::{Completion, SharedFd};
use std::io::{self, IoSlice, IoSliceMut};

/// An operation before it is in flight, to be finished at once in its caller's thread or not at all.
///
/// ```
/// use caio_core::{Attempt, Attempted};
/// /// The attempt of a backend that copies small transfers of ordinary files, with `copy`.
/// fn attempt(attempt: Attempt<'_>, copy: fn(Attempt<'_>) -> Attempted) -> Attempted {
///     let (op, fd) = (attempt.op(), attempt.fd());
///     if op.is_sync() || op.bytes() > 64 * 1024 || fd.is_stream() || fd.is_direct() {
///         return attempt.missed();
///     }
///     copy(attempt)
/// }
/// ```
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What is asked for.
    op: &'a Op,
    /// The file.
    fd: &'a SharedFd,
}

impl<'a> Attempt<'a> {
    /// Offers an operation whose memory nobody else uses meanwhile.
    #[inline]
    pub(crate) fn new(op: &'a Op, fd: &'a SharedFd) -> Self {
        Self { op, fd }
    }

    /// What is asked for. Its pointers may be followed until the attempt is answered.
    ///
    /// ```
    /// /// Whether an attempt is a small read.
    /// fn is_small_read(attempt: &caio_core::Attempt<'_>) -> bool {
    ///     attempt.op().is_read() && attempt.op().bytes() <= 64 * 1024
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn op(&self) -> &'a Op {
        self.op
    }

    /// The file.
    ///
    /// ```
    /// /// Whether earlier attempts at the file were of any use.
    /// fn is_promising(attempt: &caio_core::Attempt<'_>) -> bool {
    ///     attempt.fd().hints().inline_is_worthwhile()
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn fd(&self) -> &'a SharedFd {
        self.fd
    }

    /// It is done.
    ///
    /// # Safety
    /// `bytes` were transferred: of a read, that many bytes of its memory are initialised.
    ///
    /// ```
    /// use caio_core::{Attempt, Attempted, Op};
    /// /// Serves a read from memory, `content`.
    /// fn read_from(content: &[u8], attempt: Attempt<'_>) -> Attempted {
    ///     let Op::Read { region, offset } = attempt.op() else { return attempt.missed() };
    ///     let rest = content.get(*offset as usize..).unwrap_or_default();
    ///     let bytes = rest.len().min(region.len());
    ///     // SAFETY: until the attempt is answered its region is ours, and there is room for so many bytes.
    ///     unsafe { region.as_ptr().copy_from_nonoverlapping(rest.as_ptr(), bytes) };
    ///     // SAFETY: so many bytes were copied.
    ///     unsafe { attempt.transferred(bytes) }
    /// }
    /// ```
    #[inline]
    pub unsafe fn transferred(self, bytes: usize) -> Attempted {
        Attempted(Some(Ok(bytes)))
    }

    /// It is done, and failed.
    ///
    /// ```
    /// use caio_core::{Attempt, Attempted};
    /// /// The attempt of a file that cannot be written.
    /// fn read_only(attempt: Attempt<'_>) -> Attempted {
    ///     if attempt.op().is_write() {
    ///         return attempt.failed(std::io::ErrorKind::ReadOnlyFilesystem.into());
    ///     }
    ///     attempt.missed()
    /// }
    /// ```
    #[inline]
    pub fn failed(self, error: io::Error) -> Attempted {
        Attempted(Some(Err(error)))
    }

    /// It cannot be done at once.
    ///
    /// ```
    /// use caio_core::{Attempt, Attempted};
    /// /// Answers an attempt with what a system call gave that does not wait, such as `preadv2(2)` with `RWF_NOWAIT`.
    /// fn answer(attempt: Attempt<'_>, error: std::io::Error) -> Attempted {
    ///     match error.kind() {
    ///         std::io::ErrorKind::WouldBlock => attempt.missed(), // it will be submitted
    ///         _ => attempt.failed(error),
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn missed(self) -> Attempted {
        Attempted(None)
    }
}

/// What became of an [`Attempt`].
///
/// ```
/// use caio_core::{Attempt, Attempted};
/// /// An attempt that always has an answer: nothing is ever done at once.
/// const NEVER: fn(Attempt<'_>) -> Attempted = |attempt| attempt.missed();
/// ```
#[derive(Debug)]
#[must_use]
pub struct Attempted(pub(crate) Option<io::Result<usize>>);

/// An operation that a backend is to carry out; while a backend has it, the memory that it names is the backend's.
///
/// A backend ends it in one of three ways: it runs it by [`view`](Self::view) and [`finish`](Self::finish), which
/// needs no unsafe code; it ends it by [`fail`](Self::fail) or [`cancelled`](Self::cancelled); or it gives a kernel the
/// [`key`](Self::into_key) to carry and completes that.
///
/// ```
/// use caio_core::{Finished, Request};
/// /// Carries a request out as `/dev/zero` does.
/// fn perform(mut request: Request) -> Finished {
///     let bytes = request.op().bytes();
///     request.view(); // zeroes the memory of a read
///     request.finish(Ok(bytes))
/// }
/// ```
#[derive(Debug)]
#[must_use = "an operation whose request is dropped never completes"]
pub struct Request {
    /// Its name in the table.
    key: Key,
    /// What is asked for.
    op: Op,
    /// The file, which the table holds as well until the completion.
    fd: SharedFd,
    /// How urgent it is.
    priority: Option<IoPriority>,
    /// Whether all memory of a read is initialised, because `view` was called.
    viewed: bool,
}

impl Request {
    /// Makes the token of an operation that runs.
    #[inline]
    pub(crate) fn new(key: Key, op: Op, fd: SharedFd, priority: Option<IoPriority>) -> Self {
        Self { key, op, fd, priority, viewed: false }
    }

    /// Its name in the table.
    ///
    /// ```
    /// use caio_core::{Key, Request};
    /// /// Takes a request that is to be cancelled out of the queue.
    /// fn take(queue: &mut Vec<Request>, key: Key) -> Option<Request> {
    ///     let place = queue.iter().position(|request| request.key() == key)?;
    ///     Some(queue.remove(place))
    /// }
    /// ```
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// What is asked for. Its pointers may be followed until the operation is completed.
    ///
    /// ```
    /// /// Whether a request can go to a kernel that knows reads and writes only.
    /// fn is_transfer(request: &caio_core::Request) -> bool {
    ///     !request.op().is_sync()
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The file.
    ///
    /// ```ignore-windows
    /// use std::os::fd::{AsRawFd, RawFd};
    /// /// The descriptor of a submission, which stays open until its completion.
    /// fn descriptor(request: &caio_core::Request) -> RawFd {
    ///     request.fd().as_raw_fd()
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn fd(&self) -> &SharedFd {
        &self.fd
    }

    /// How urgent it is, where its caller said so.
    ///
    /// ```
    /// /// The `ioprio` of a submission; 0 where its caller did not say.
    /// fn ioprio(request: &caio_core::Request) -> u16 {
    ///     request.priority().map_or(0, caio_core::IoPriority::as_u16)
    /// }
    /// ```
    #[must_use]
    pub fn priority(&self) -> Option<IoPriority> {
        self.priority
    }

    /// Leaves the operation to a kernel, which carries its key; the table keeps its file open.
    ///
    /// ```
    /// /// The `user_data` of a submission.
    /// fn user_data(request: caio_core::Request) -> u64 {
    ///     request.into_key().as_u64() // the completion brings it back
    /// }
    /// ```
    #[must_use]
    pub fn into_key(self) -> Key {
        self.key
    }

    /// The memory as slices, zeroed first where a read would see it uninitialised.
    ///
    /// ```
    /// use caio_core::{Request, View};
    /// use std::io::{self, Read, Write};
    /// /// Carries a request out at the file's own position.
    /// fn transfer(request: &mut Request) -> io::Result<usize> {
    ///     let fd = request.fd().clone();
    ///     let mut file = fd.file();
    ///     match request.view() {
    ///         View::Read(buf, _) => file.read(buf),
    ///         View::Write(buf, _) => file.write(buf),
    ///         View::Readv(mut bufs, _) => file.read_vectored(&mut bufs),
    ///         View::Writev(bufs, _) => file.write_vectored(&bufs),
    ///         View::Fsync => file.sync_all().map(|()| 0),
    ///         View::Fdatasync => file.sync_data().map(|()| 0),
    ///     }
    /// }
    /// ```
    pub fn view(&mut self) -> View<'_> {
        if self.op.is_read() && !self.viewed {
            self.zero();
        }
        self.viewed = true;
        match &self.op {
            // SAFETY: core gave this request the memory for its own use until its completion, which consumes it; the borrow ends first.
            Op::Read { region, offset } => View::Read(unsafe { slice_mut(region) }, *offset),
            // SAFETY: as above; the buffer's owner promised that it is initialised.
            Op::Write { region, offset } => View::Write(unsafe { slice(region) }, *offset),
            Op::Readv { regions, offset } => {
                // SAFETY: as for `Read`; the regions belong to distinct buffers.
                let slices = regions.as_slice().iter().map(|region| IoSliceMut::new(unsafe { slice_mut(region) }));
                View::Readv(slices.collect(), *offset)
            }
            Op::Writev { regions, offset } => {
                // SAFETY: as for `Write`.
                let slices = regions.as_slice().iter().map(|region| IoSlice::new(unsafe { slice(region) }));
                View::Writev(slices.collect(), *offset)
            }
            Op::Fsync => View::Fsync,
            Op::Fdatasync => View::Fdatasync,
        }
    }

    /// Initialises the memory of a read.
    fn zero(&mut self) {
        let zero = |region: &Region| {
            if !region.is_empty() {
                // SAFETY: core gave this request the memory for its own use, `len` bytes of it, until its completion.
                unsafe { region.as_ptr().write_bytes(0, region.len()) }
            }
        };
        match &self.op {
            Op::Read { region, .. } => zero(region),
            Op::Readv { regions, .. } => regions.as_slice().iter().for_each(zero),
            Op::Write { .. } | Op::Writev { .. } | Op::Fsync | Op::Fdatasync => {}
        }
    }

    /// Ends it with what came of its [`view`](Self::view); pass the result to [`Completer::deliver`](crate::Completer::deliver).
    ///
    /// # Panics
    /// If a read claims more bytes than its view had.
    ///
    /// ```
    /// use caio_core::{Completer, Request, View};
    /// /// Fills a read's buffer.
    /// fn fill(mut request: Request, byte: u8, completer: &Completer) {
    ///     let View::Read(buf, _offset) = request.view() else { return completer.deliver(request.finish(Ok(0))) };
    ///     buf.fill(byte);
    ///     let bytes = buf.len();
    ///     completer.deliver(request.finish(Ok(bytes)));
    /// }
    /// ```
    pub fn finish(self, result: io::Result<usize>) -> Finished {
        if let Ok(bytes) = result {
            assert!(bytes == 0 || !self.op.is_read() || self.viewed, "a read that nobody looked at cannot have read");
            assert!(
                bytes <= self.op.bytes() || self.op.is_sync(),
                "{bytes} bytes transferred where {} were asked for",
                self.op.bytes()
            );
        }
        Finished { key: self.key, completion: Completion::Done(result) }
    }

    /// Ends it after its pointers were followed.
    ///
    /// # Safety
    /// Nobody follows the pointers any more. If the result is `Ok(n)` of a read, `n` bytes of its memory are initialised.
    ///
    /// ```
    /// use caio_core::{Finished, Op, Request};
    /// use std::io::{ErrorKind, Result};
    /// /// Carries a read out with `pread`, a system call that takes a pointer.
    /// fn perform(request: Request, pread: unsafe fn(*mut u8, usize, u64) -> Result<usize>) -> Finished {
    ///     let Op::Read { region, offset } = request.op() else { return request.fail(ErrorKind::Unsupported.into()) };
    ///     // SAFETY: the region is the request's until it is finished.
    ///     let result = unsafe { pread(region.as_ptr(), region.len(), *offset) };
    ///     // SAFETY: the call is over, and initialised as many bytes as it says.
    ///     unsafe { request.finish_raw(result) }
    /// }
    /// ```
    pub unsafe fn finish_raw(self, result: io::Result<usize>) -> Finished {
        Finished { key: self.key, completion: Completion::Done(result) }
    }

    /// Ends it with an error.
    ///
    /// ```
    /// use caio_core::{Completer, Request};
    /// /// Ends a request for which no thread could be started.
    /// fn give_up(request: Request, error: std::io::Error, completer: &Completer) {
    ///     completer.deliver(request.fail(error));
    /// }
    /// ```
    pub fn fail(self, error: io::Error) -> Finished {
        Finished { key: self.key, completion: Completion::Done(Err(error)) }
    }

    /// Ends it because a cancel was asked for; nothing was transferred.
    ///
    /// ```
    /// use caio_core::{Completer, Key, Request};
    /// use std::collections::HashMap;
    /// /// A backend's cancel: what still waits in its map has transferred nothing.
    /// fn cancel(waiting: &mut HashMap<Key, Request>, key: Key, completer: &Completer) {
    ///     if let Some(request) = waiting.remove(&key) {
    ///         completer.deliver(request.cancelled());
    ///     }
    /// }
    /// ```
    pub fn cancelled(self) -> Finished {
        Finished { key: self.key, completion: Completion::Cancelled }
    }
}

/// A request that has ended, to be delivered.
///
/// ```
/// use caio_core::{Completer, Finished};
/// use std::sync::Mutex;
/// /// Delivers what workers left in a mailbox, without its lock.
/// fn empty(mailbox: &Mutex<Vec<Finished>>, completer: &Completer) -> usize {
///     let letters = std::mem::take(&mut *mailbox.lock().unwrap());
///     letters.into_iter().map(|finished| completer.deliver(finished)).count()
/// }
/// ```
#[derive(Debug)]
#[must_use = "an operation that is not delivered never completes"]
pub struct Finished {
    /// Its name in the table.
    pub(crate) key: Key,
    /// How it ended.
    pub(crate) completion: Completion,
}

impl Finished {
    /// Its name in the table.
    ///
    /// ```
    /// use caio_core::{Completer, Finished, Key};
    /// use std::collections::HashSet;
    /// /// Forgets an operation, then delivers it.
    /// fn end(running: &mut HashSet<Key>, finished: Finished, completer: &Completer) {
    ///     running.remove(&finished.key());
    ///     completer.deliver(finished);
    /// }
    /// ```
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }
}

/// A request's memory as slices.
///
/// ```
/// use caio_core::View;
/// /// How many bytes a request is about.
/// fn bytes(view: &View<'_>) -> usize {
///     match view {
///         View::Read(buf, _) => buf.len(),
///         View::Write(buf, _) => buf.len(),
///         View::Readv(bufs, _) => bufs.iter().map(|buf| buf.len()).sum(),
///         View::Writev(bufs, _) => bufs.iter().map(|buf| buf.len()).sum(),
///         View::Fsync | View::Fdatasync => 0,
///     }
/// }
/// ```
#[derive(Debug)]
pub enum View<'a> {
    /// Read into it at the offset.
    Read(&'a mut [u8], u64),
    /// Write it at the offset.
    Write(&'a [u8], u64),
    /// Read into them at the offset.
    Readv(Vec<IoSliceMut<'a>>, u64),
    /// Write them at the offset.
    Writev(Vec<IoSlice<'a>>, u64),
    /// Bring data and metadata to the disk.
    Fsync,
    /// Bring the data to the disk.
    Fdatasync,
}

/// The region as a slice.
///
/// # Safety
/// The region is initialised, and nobody writes to it while the slice is there.
unsafe fn slice<'a>(region: &Region) -> &'a [u8] {
    if region.is_empty() {
        return &[];
    }
    // SAFETY: the caller's promise; `Region` clamps the length below `isize::MAX`.
    unsafe { std::slice::from_raw_parts(region.as_ptr(), region.len()) }
}

/// The region as a mutable slice.
///
/// # Safety
/// The region is initialised, and nobody else uses it while the slice is there.
unsafe fn slice_mut<'a>(region: &Region) -> &'a mut [u8] {
    if region.is_empty() {
        return &mut [];
    }
    // SAFETY: the caller's promise; `Region` clamps the length below `isize::MAX`.
    unsafe { std::slice::from_raw_parts_mut(region.as_ptr(), region.len()) }
}
