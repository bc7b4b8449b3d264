//! What each kind of operation owns while it is in flight, and what its caller gets in the end.

use crate::buf::{Held, IoBuf, IoBufMut};
use crate::completer::Completion;
use crate::op::{MAX_BUFFERS, Op, Region, Regions};
use crate::{BufResult, error};
use std::io;

mod sealed {
    //! Keeps the trait ours.
    /// Only this crate implements it.
    pub trait Sealed {}
}

pub(crate) use sealed::Sealed;

/// What an operation owns, and what becomes of it.
///
/// Sealed: the operations are those of [`Context`](crate::Context).
///
/// ```
/// use caio_core::{Operation, Payload};
/// /// Starts operations of any one kind; they are awaited later.
/// fn start<P: Payload>(ops: impl IntoIterator<Item = Operation<P>>) -> Vec<Operation<P>> {
///     ops.into_iter().map(Operation::submit).collect()
/// }
/// ```
pub trait Payload: Sealed + Send {
    /// What awaiting the operation gives.
    type Output;
    /// The buffer that a cancelled operation gives back.
    type Buffer;

    /// Describes the operation at an offset. Its memory stays where it is until the payload is
    /// dropped.
    #[doc(hidden)]
    fn op(&mut self, offset: u64) -> io::Result<Op>;

    /// The buffer with the operation's result.
    ///
    /// # Safety
    /// The operation of [`op`](Self::op) has ended with this result, or never started and this is
    /// an error.
    #[doc(hidden)]
    unsafe fn finish(self, result: io::Result<usize>) -> BufResult<usize, Self::Buffer>;

    /// The caller's result, made of that.
    #[doc(hidden)]
    fn output(finished: BufResult<usize, Self::Buffer>) -> Self::Output;

    /// The caller's result where the time is up though the kernel is not done; `None` where the
    /// caller's buffer is to come back, which has to wait.
    #[doc(hidden)]
    fn without_buffer(_error: io::Error) -> Option<Self::Output> {
        None
    }
}

/// What a dropped future leaves behind until the kernel is done.
pub(crate) trait Orphan: Send + std::fmt::Debug {
    /// The operation has ended, and nobody wants its result.
    fn discard(self: Box<Self>, completion: Completion);
}

/// The payload of a dropped future.
pub(crate) struct Abandoned<P> {
    /// What the operation owns.
    pub(crate) payload: Held<P>,
    /// Which part of it the backend has.
    pub(crate) part: Part,
}

/// Which part of an operation a backend has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but so many bytes at its beginning, which were transferred before.
    From(usize),
    /// Its end, while not all before that was transferred: its result says nothing of the whole.
    End,
}

impl Part {
    /// The result of the whole, where that of the part is known.
    pub(crate) fn whole(self, completion: Completion) -> io::Result<usize> {
        match (self, completion) {
            (Self::From(done), Completion::Done(Ok(bytes))) => Ok(done + bytes),
            (Self::End, Completion::Done(Ok(_))) | (_, Completion::Cancelled) => Err(error::cancelled()),
            (_, Completion::Done(Err(error))) => Err(error),
        }
    }
}

impl<P> std::fmt::Debug for Abandoned<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Abandoned")
    }
}

impl<P: Payload> Orphan for Abandoned<P> {
    fn discard(mut self: Box<Self>, completion: Completion) {
        let result = self.part.whole(completion);
        if let Some(payload) = self.payload.take() {
            // SAFETY: the table gives this back only once the backend has delivered the operation,
            // with its result; of a part that result counts only where all before it was
            // transferred.
            drop(unsafe { payload.finish(result) });
        }
    }
}

/// Reads into a vector of our own.
///
/// ```
/// use caio_core::{Operation, Read};
/// /// Reads a file, always one block ahead of its caller.
/// struct ReadAhead {
///     next: Operation<Read>,
///     offset: u64,
/// }
/// ```
#[derive(Debug)]
pub struct Read {
    /// The vector; it is allocated when the operation starts.
    buf: Vec<u8>,
    /// How many bytes at most.
    len: usize,
}

impl Read {
    /// Reads at most `len` bytes.
    pub(crate) fn new(len: usize) -> Self {
        Self { buf: Vec::new(), len }
    }
}

impl Sealed for Read {}

impl Payload for Read {
    type Output = io::Result<Vec<u8>>;
    type Buffer = Vec<u8>;

    fn op(&mut self, offset: u64) -> io::Result<Op> {
        let len = self.len.min(crate::MAX_TRANSFER);
        self.buf.try_reserve_exact(len).map_err(|_| error::no_memory(len))?;
        Ok(Op::Read { region: Region::new(self.buf.as_mut_ptr(), len), offset })
    }

    unsafe fn finish(mut self, result: io::Result<usize>) -> BufResult<usize, Self::Buffer> {
        if let Ok(bytes) = result {
            // SAFETY: the operation ended with this result: the backend vouched that so many bytes
            // are initialised.
            unsafe { self.buf.set_len(bytes) }
        }
        (result, self.buf)
    }

    fn output((result, buf): BufResult<usize, Self::Buffer>) -> Self::Output {
        result.map(|_| buf)
    }

    fn without_buffer(error: io::Error) -> Option<Self::Output> {
        Some(Err(error))
    }
}

/// Reads into its caller's buffer.
///
/// ```
/// use caio_core::{AlignedBuf, Context, Operation, ReadInto, SharedFd};
/// fn read_page(ctx: &Context, fd: &SharedFd, page: u64) -> Operation<ReadInto<AlignedBuf>> {
///     ctx.read_into(AlignedBuf::new(4096, 4096), fd, page * 4096)
/// }
/// ```
#[derive(Debug)]
pub struct ReadInto<B>(pub(crate) B);

impl<B> Sealed for ReadInto<B> {}

impl<B: IoBufMut> Payload for ReadInto<B> {
    type Output = BufResult<usize, B>;
    type Buffer = B;

    fn op(&mut self, offset: u64) -> io::Result<Op> {
        let region = Region::new(self.0.stable_mut_ptr(), self.0.bytes_total());
        Ok(Op::Read { region, offset })
    }

    unsafe fn finish(mut self, result: io::Result<usize>) -> Self::Output {
        if let Ok(bytes) = result {
            // SAFETY: the operation ended with this result: the backend vouched that so many bytes
            // are initialised.
            unsafe { self.0.set_init(bytes) }
        }
        (result, self.0)
    }

    fn output(finished: Self::Output) -> Self::Output {
        finished
    }
}

/// Writes its caller's buffer.
///
/// ```
/// use caio_core::{Operation, Write};
/// /// Waits for writes that were submitted before, and sums up what they wrote.
/// async fn written(writes: Vec<Operation<Write<String>>>) -> std::io::Result<usize> {
///     let mut sum = 0;
///     for write in writes {
///         sum += write.await.0?;
///     }
///     Ok(sum)
/// }
/// ```
#[derive(Debug)]
pub struct Write<B>(pub(crate) B);

impl<B> Sealed for Write<B> {}

impl<B: IoBuf> Payload for Write<B> {
    type Output = BufResult<usize, B>;
    type Buffer = B;

    fn op(&mut self, offset: u64) -> io::Result<Op> {
        let region = Region::new(self.0.stable_ptr().cast_mut(), self.0.bytes_init());
        Ok(Op::Write { region, offset })
    }

    unsafe fn finish(self, result: io::Result<usize>) -> Self::Output {
        (result, self.0)
    }

    fn output(finished: Self::Output) -> Self::Output {
        finished
    }
}

/// Buffers, and the array that names them to the kernel.
#[derive(Debug)]
struct Vectored<B> {
    /// The buffers.
    bufs: Vec<B>,
    /// Their memory; made when the operation starts.
    regions: Box<[Region]>,
}

impl<B> Vectored<B> {
    /// Owns buffers.
    fn new(bufs: Vec<B>) -> Self {
        Self { bufs, regions: Box::default() }
    }

    /// Names the memory of each buffer.
    fn name(&mut self, region: impl FnMut(&mut B) -> Region) -> io::Result<Regions> {
        if self.bufs.len() > MAX_BUFFERS {
            return Err(error::too_many_buffers(self.bufs.len()));
        }
        self.regions = self.bufs.iter_mut().map(region).collect();
        // SAFETY: the boxed array stays where it is until the payload is dropped, which is after
        // the operation's end.
        Ok(unsafe { Regions::new(&self.regions) })
    }
}

/// Reads into its caller's buffers in turn.
///
/// ```
/// use caio_core::{Operation, Readv};
/// async fn first_buffer(read: Operation<Readv<Vec<u8>>>) -> std::io::Result<Option<Vec<u8>>> {
///     let (bytes, bufs) = read.await;
///     bytes.map(|_| bufs.into_iter().next())
/// }
/// ```
#[derive(Debug)]
pub struct Readv<B>(Vectored<B>);

impl<B: IoBufMut> Readv<B> {
    /// Reads into these.
    pub(crate) fn new(bufs: Vec<B>) -> Self {
        Self(Vectored::new(bufs))
    }
}

impl<B> Sealed for Readv<B> {}

impl<B: IoBufMut> Payload for Readv<B> {
    type Output = BufResult<usize, Vec<B>>;
    type Buffer = Vec<B>;

    fn op(&mut self, offset: u64) -> io::Result<Op> {
        let regions = self.0.name(|buf| Region::new(buf.stable_mut_ptr(), buf.bytes_total()))?;
        Ok(Op::Readv { regions, offset })
    }

    unsafe fn finish(mut self, result: io::Result<usize>) -> Self::Output {
        if let Ok(bytes) = result {
            let mut rest = bytes;
            for (buf, region) in self.0.bufs.iter_mut().zip(&self.0.regions) {
                let filled = rest.min(region.len());
                // SAFETY: the operation ended with this result, and the regions are filled in turn.
                unsafe { buf.set_init(filled) }
                rest -= filled;
            }
        }
        (result, self.0.bufs)
    }

    fn output(finished: Self::Output) -> Self::Output {
        finished
    }
}

/// Writes its caller's buffers in turn.
///
/// ```
/// use caio_core::{Context, Operation, SharedFd, Writev};
/// use std::sync::Arc;
/// /// Writes a header that many records share, and what follows it.
/// fn write_record(ctx: &Context, fd: &SharedFd, parts: [Arc<[u8]>; 2]) -> Operation<Writev<Arc<[u8]>>> {
///     ctx.writev(parts.into(), fd, caio_core::NO_OFFSET)
/// }
/// ```
#[derive(Debug)]
pub struct Writev<B>(Vectored<B>);

impl<B: IoBuf> Writev<B> {
    /// Writes these.
    pub(crate) fn new(bufs: Vec<B>) -> Self {
        Self(Vectored::new(bufs))
    }
}

impl<B> Sealed for Writev<B> {}

impl<B: IoBuf> Payload for Writev<B> {
    type Output = BufResult<usize, Vec<B>>;
    type Buffer = Vec<B>;

    fn op(&mut self, offset: u64) -> io::Result<Op> {
        let regions = self.0.name(|buf| Region::new(buf.stable_ptr().cast_mut(), buf.bytes_init()))?;
        Ok(Op::Writev { regions, offset })
    }

    unsafe fn finish(self, result: io::Result<usize>) -> Self::Output {
        (result, self.0.bufs)
    }

    fn output(finished: Self::Output) -> Self::Output {
        finished
    }
}

/// Brings a file to the disk; it owns no memory.
///
/// ```
/// use caio_core::{Context, Fsync, Operation, SharedFd};
/// fn sync(ctx: &Context, fd: &SharedFd, data_only: bool) -> Operation<Fsync> {
///     if data_only { ctx.fdsync(fd) } else { ctx.fsync(fd) }
/// }
/// ```
#[derive(Debug)]
pub struct Fsync {
    /// Whether the data alone will do.
    pub(crate) data_only: bool,
}

impl Sealed for Fsync {}

impl Payload for Fsync {
    type Output = io::Result<()>;
    type Buffer = ();

    fn op(&mut self, _offset: u64) -> io::Result<Op> {
        Ok(if self.data_only { Op::Fdatasync } else { Op::Fsync })
    }

    unsafe fn finish(self, result: io::Result<usize>) -> BufResult<usize, ()> {
        (result, ())
    }

    fn output((result, ()): BufResult<usize, ()>) -> Self::Output {
        result.map(drop)
    }

    fn without_buffer(error: io::Error) -> Option<Self::Output> {
        Some(Err(error))
    }
}
