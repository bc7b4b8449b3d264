//! The tokens that a backend is given: one for an attempt, one for a submission.

use crate::key::Key;
use crate::op::{IoPriority, Op, Region};
use crate::{Completion, SharedFd};
use std::io::{self, IoSlice, IoSliceMut};

/// An operation before it is in flight, to be finished at once in its caller's thread or not at all.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What is asked for.
    op: &'a Op,
    /// The file.
    fd: &'a SharedFd,
}

impl<'a> Attempt<'a> {
    /// Offers an operation whose memory nobody else uses meanwhile.
    pub(crate) fn new(op: &'a Op, fd: &'a SharedFd) -> Self {
        Self { op, fd }
    }

    /// What is asked for. Its pointers may be followed until the attempt is answered.
    #[must_use]
    pub fn op(&self) -> &'a Op {
        self.op
    }

    /// The file.
    #[must_use]
    pub fn fd(&self) -> &'a SharedFd {
        self.fd
    }

    /// It is done.
    ///
    /// # Safety
    /// `bytes` were transferred: of a read, that many bytes of its memory are initialised.
    pub unsafe fn transferred(self, bytes: usize) -> Attempted {
        Attempted(Some(Ok(bytes)))
    }

    /// It is done, and failed.
    pub fn failed(self, error: io::Error) -> Attempted {
        Attempted(Some(Err(error)))
    }

    /// It cannot be done at once.
    pub fn missed(self) -> Attempted {
        Attempted(None)
    }
}

/// What became of an [`Attempt`].
#[derive(Debug)]
#[must_use]
pub struct Attempted(pub(crate) Option<io::Result<usize>>);

/// An operation that a backend is to carry out; while a backend has it, the memory that it names is the backend's.
///
/// A backend ends it in one of three ways: it runs it by [`view`](Self::view) and [`finish`](Self::finish), which
/// needs no unsafe code; it ends it by [`fail`](Self::fail) or [`cancelled`](Self::cancelled); or it gives a kernel the
/// [`key`](Self::into_key) to carry and completes that.
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
    pub(crate) fn new(key: Key, op: Op, fd: SharedFd, priority: Option<IoPriority>) -> Self {
        Self { key, op, fd, priority, viewed: false }
    }

    /// Its name in the table.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// What is asked for. Its pointers may be followed until the operation is completed.
    #[must_use]
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The file.
    #[must_use]
    pub fn fd(&self) -> &SharedFd {
        &self.fd
    }

    /// How urgent it is, where its caller said so.
    #[must_use]
    pub fn priority(&self) -> Option<IoPriority> {
        self.priority
    }

    /// Leaves the operation to a kernel, which carries its key; the table keeps its file open.
    #[must_use]
    pub fn into_key(self) -> Key {
        self.key
    }

    /// The memory as slices, zeroed first where a read would see it uninitialised.
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
    pub unsafe fn finish_raw(self, result: io::Result<usize>) -> Finished {
        Finished { key: self.key, completion: Completion::Done(result) }
    }

    /// Ends it with an error.
    pub fn fail(self, error: io::Error) -> Finished {
        Finished { key: self.key, completion: Completion::Done(Err(error)) }
    }

    /// Ends it because a cancel was asked for; nothing was transferred.
    pub fn cancelled(self) -> Finished {
        Finished { key: self.key, completion: Completion::Cancelled }
    }
}

/// A request that has ended, to be delivered.
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
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }
}

/// A request's memory as slices.
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
