//! The tokens that a backend is given: one for an attempt, one for a submission.

use crate::key::Key;
use crate::op::{IoPriority, Op, OpClass, Region};
use crate::{Completion, SharedFd};
use std::io::{self, IoSlice, IoSliceMut};

/// An operation before it is in flight, to be finished at once in its caller's thread or not at
/// all.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What is asked for.
    op: &'a Op,
    /// The file.
    fd: &'a SharedFd,
    /// What kind of operation it is.
    class: OpClass,
}

impl<'a> Attempt<'a> {
    /// Offers an operation whose memory nobody else uses meanwhile.
    #[inline]
    pub(crate) fn new(op: &'a Op, fd: &'a SharedFd, class: OpClass) -> Self {
        Self { op, fd, class }
    }

    /// What is asked for. Its pointers may be followed until the attempt is answered.
    #[must_use]
    #[inline]
    pub fn op(&self) -> &'a Op {
        self.op
    }

    /// The file.
    #[must_use]
    #[inline]
    pub fn fd(&self) -> &'a SharedFd {
        self.fd
    }

    /// What kind of operation it is: a [`CachedRead`](OpClass::CachedRead) or a
    /// [`BufferedWrite`](OpClass::BufferedWrite).
    #[must_use]
    #[inline]
    pub fn class(&self) -> OpClass {
        self.class
    }

    /// It is done.
    ///
    /// # Safety
    /// `bytes` were transferred: of a read, that many bytes of its memory are initialised.
    #[inline]
    pub unsafe fn transferred(self, bytes: usize) -> Attempted {
        Attempted(Some(Ok(bytes)))
    }

    /// It is done, and failed.
    #[inline]
    pub fn failed(self, error: io::Error) -> Attempted {
        Attempted(Some(Err(error)))
    }

    /// It cannot be done at once.
    #[inline]
    pub fn missed(self) -> Attempted {
        Attempted(None)
    }
}

/// What became of an [`Attempt`].
#[derive(Debug)]
#[must_use]
pub struct Attempted(pub(crate) Option<io::Result<usize>>);

/// An operation that a backend is to carry out; while a backend has it, the memory that it names is
/// the backend's.
///
/// A backend ends it in one of three ways: it runs it by [`view`](Self::view) and
/// [`finish`](Self::finish); it ends it by [`fail`](Self::fail) or [`cancelled`](Self::cancelled);
/// or it gives a kernel the [`key`](Self::into_key) to carry, and completes that.
#[derive(Debug)]
#[must_use = "an operation whose request is dropped never completes"]
pub struct Request {
    /// Its name in the table.
    key: Key,
    /// What is asked for.
    op: Op,
    /// The file, which the table holds as well until the completion.
    fd: SharedFd,
    /// How it is to be carried out.
    terms: Terms,
    /// How many bytes of a read's memory are initialised, from its start, because they were viewed.
    viewed: usize,
}

/// What a backend chooses a route by, besides the operation itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// What kind of operation it is.
    pub(crate) class: OpClass,
    /// How urgent it is.
    pub(crate) priority: Option<IoPriority>,
    /// How many `O_DIRECT` transfers are under way at a time.
    pub(crate) direct_depth: u32,
    /// How often it was submitted again.
    pub(crate) reissues: u32,
}

impl Request {
    /// Makes the token of an operation that runs.
    #[inline]
    pub(crate) fn new(key: Key, op: Op, fd: SharedFd, terms: Terms) -> Self {
        Self { key, op, fd, terms, viewed: 0 }
    }

    /// Its name in the table.
    #[must_use]
    #[inline]
    pub fn key(&self) -> Key {
        self.key
    }

    /// What is asked for. Its pointers may be followed until the operation is completed.
    #[must_use]
    #[inline]
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The file.
    #[must_use]
    #[inline]
    pub fn fd(&self) -> &SharedFd {
        &self.fd
    }

    /// What kind of operation it is.
    #[must_use]
    #[inline]
    pub fn class(&self) -> OpClass {
        self.terms.class
    }

    /// How urgent it is, where its caller said so. A hint: that it is refused fails no operation.
    #[must_use]
    pub fn priority(&self) -> Option<IoPriority> {
        self.terms.priority
    }

    /// An estimate of how many `O_DIRECT` transfers are under way at a time.
    #[must_use]
    pub fn direct_depth(&self) -> u32 {
        self.terms.direct_depth
    }

    /// How often it was submitted again, by [`Completer::reissue`](crate::Completer::reissue).
    #[must_use]
    pub fn reissues(&self) -> u32 {
        self.terms.reissues
    }

    /// Leaves the operation to a kernel, which carries its key; the table keeps its file open.
    #[must_use]
    pub fn into_key(self) -> Key {
        self.key
    }

    /// All of the memory as slices, zeroed first where a read would see it uninitialised.
    pub fn view(&mut self) -> View<'_> {
        self.view_part(0, usize::MAX)
    }

    /// At most `limit` bytes of the memory, after the first `done`, which were viewed before. So a
    /// read of little into a large buffer zeroes little. The offset is that of the part.
    pub fn view_part(&mut self, done: usize, limit: usize) -> View<'_> {
        let end = done.saturating_add(limit).min(self.op.bytes());
        if self.op.is_read() && self.viewed < end {
            self.zero(self.viewed, end);
            self.viewed = end;
        }
        let at = |offset: u64| if offset == crate::NO_OFFSET { offset } else { offset.saturating_add(done as u64) };
        match &self.op {
            Op::Read { region, offset } => {
                // SAFETY: core gave this request the memory for its own use until its completion,
                // which consumes it; the borrow ends first. The part is initialised.
                View::Read(unsafe { slice_mut(region.part(done, limit)) }, at(*offset))
            }
            Op::Write { region, offset } => {
                // SAFETY: as above; the buffer's owner promised that it is initialised.
                View::Write(unsafe { slice(region.part(done, limit)) }, at(*offset))
            }
            Op::Readv { regions, offset } => {
                // SAFETY: as for `Read`; the regions belong to distinct buffers.
                let slices =
                    parts(regions.as_slice(), done, end).map(|part| IoSliceMut::new(unsafe { slice_mut(part) }));
                View::Readv(slices.collect(), at(*offset))
            }
            Op::Writev { regions, offset } => {
                // SAFETY: as for `Write`.
                let slices = parts(regions.as_slice(), done, end).map(|part| IoSlice::new(unsafe { slice(part) }));
                View::Writev(slices.collect(), at(*offset))
            }
            Op::Fsync => View::Fsync,
            Op::Fdatasync => View::Fdatasync,
        }
    }

    /// Initialises a part of the memory of a read.
    fn zero(&mut self, from: usize, to: usize) {
        let zero = |part: Region| {
            if !part.is_empty() {
                // SAFETY: core gave this request the memory for its own use, `len` bytes of it,
                // until its completion.
                unsafe { part.as_ptr().write_bytes(0, part.len()) }
            }
        };
        match &self.op {
            Op::Read { region, .. } => zero(region.part(from, to - from)),
            Op::Readv { regions, .. } => parts(regions.as_slice(), from, to).for_each(zero),
            Op::Write { .. } | Op::Writev { .. } | Op::Fsync | Op::Fdatasync => {}
        }
    }

    /// Ends it with what came of its [`view`](Self::view); pass the result to
    /// [`Completer::deliver`](crate::Completer::deliver).
    ///
    /// # Panics
    /// If a read claims more bytes than were viewed, or a write more than it has.
    pub fn finish(self, result: io::Result<usize>) -> Finished {
        if let Ok(bytes) = result {
            let most = if self.op.is_read() { self.viewed } else { self.op.bytes() };
            assert!(bytes <= most || self.op.is_sync(), "{bytes} bytes transferred where there was room for {most}");
        }
        Finished { key: self.key, completion: Completion::Done(result) }
    }

    /// Ends it after its pointers were followed.
    ///
    /// # Safety
    /// Nobody follows the pointers any more. If the result is `Ok(n)` of a read, `n` bytes of its
    /// memory are initialised.
    #[inline]
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

/// A request's memory as slices, and its offset.
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

/// What regions, one after the other, have between two places; those that have nothing there are
/// left out at the edges.
fn parts(regions: &[Region], from: usize, to: usize) -> impl Iterator<Item = Region> + '_ {
    let mut start = 0_usize;
    regions.iter().filter_map(move |region| {
        let (begin, end) = (start, start.saturating_add(region.len()));
        start = end;
        let done = from.max(begin) - begin;
        let inside = begin < to && (done < region.len() || region.is_empty());
        inside.then(|| region.part(done, to.saturating_sub(begin.max(from))))
    })
}

/// The region as a slice.
///
/// # Safety
/// The region is initialised, and nobody writes to it while the slice is there.
unsafe fn slice<'a>(region: Region) -> &'a [u8] {
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
unsafe fn slice_mut<'a>(region: Region) -> &'a mut [u8] {
    if region.is_empty() {
        return &mut [];
    }
    // SAFETY: the caller's promise; `Region` clamps the length below `isize::MAX`.
    unsafe { std::slice::from_raw_parts_mut(region.as_ptr(), region.len()) }
}
