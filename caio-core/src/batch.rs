//! Many operations, one submission.

use crate::backend::Flush;
use crate::buf::{IoBuf, IoBufMut};
use crate::context::Context;
use crate::key::Key;
use crate::operation::Operation;
use crate::payload::{Fsync, Payload, Read, ReadInto, Readv, Write, Writev};
use crate::{SharedFd, error};
use std::io;

/// The most operations that one batch takes.
///
/// ```
/// # fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
/// # let offsets: Vec<u64> = Vec::new();
/// use caio_core::MAX_BATCH;
/// let mut reads = Vec::new();
/// for some in offsets.chunks(MAX_BATCH) {
///     let mut batch = ctx.batch();
///     reads.extend(some.iter().map(|offset| batch.read(4096, fd, *offset)));
///     batch.submit()?;
/// }
/// # Ok(()) }
/// ```
pub const MAX_BATCH: usize = 4096;

/// Operations that start together, made by [`Context::batch`].
///
/// They reach the kernel in one submission, as many of them as there is room for; the others follow
/// in their turn. They are unordered, as all operations are. One that is awaited before its batch
/// is submitted starts by itself; one that is dropped before never starts.
///
/// ```
/// # fn with(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
/// let mut batch = ctx.batch();
/// let a = batch.read_into(Vec::with_capacity(4096), fd, 0);
/// let b = batch.write(b"x", fd, 4096);
/// batch.submit()?;
/// let ((read, buf), (written, _)) = futures::executor::block_on(futures::future::join(a, b));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a batch does nothing until it is submitted"]
pub struct Batch {
    /// Who carries them out.
    ctx: Context,
    /// The operations.
    keys: Vec<Key>,
}

impl Batch {
    /// An empty batch.
    pub(crate) fn new(ctx: &Context) -> Self {
        Self { ctx: ctx.share(), keys: Vec::new() }
    }

    /// As [`Context::read`].
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let pages: Vec<_> = (0..8).map(|page| batch.read(4096, fd, page * 4096)).collect();
    /// batch.submit()?;
    /// for page in pages {
    ///     let data = page.await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read(&mut self, len: usize, fd: &SharedFd, offset: u64) -> Operation<Read> {
        self.add(self.ctx.read(len, fd, offset))
    }

    /// As [`Context::read_into`].
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let header = batch.read_into(Vec::with_capacity(512), fd, 0);
    /// let body = batch.read_into(Vec::with_capacity(65536), fd, 512);
    /// batch.submit()?;
    /// let ((header_len, header), (body_len, body)) = (header.await, body.await);
    /// # Ok(()) }
    /// ```
    pub fn read_into<B: IoBufMut>(&mut self, buf: B, fd: &SharedFd, offset: u64) -> Operation<ReadInto<B>> {
        self.add(self.ctx.read_into(buf, fd, offset))
    }

    /// As [`Context::write`].
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let writes = [("one", 0), ("two", 3)].map(|(word, offset)| batch.write(word, fd, offset));
    /// batch.submit()?;
    /// for write in writes {
    ///     let (written, _word) = write.await;
    ///     written?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn write<B: IoBuf + 'static>(&mut self, buf: B, fd: &SharedFd, offset: u64) -> Operation<Write<B>> {
        self.add(self.ctx.write(buf, fd, offset))
    }

    /// As [`Context::readv`].
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let read = batch.readv(vec![Vec::with_capacity(512), Vec::with_capacity(4096)], fd, 0);
    /// batch.submit()?;
    /// let (bytes, bufs) = read.await;
    /// # Ok(()) }
    /// ```
    pub fn readv<B: IoBufMut>(&mut self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Operation<Readv<B>> {
        self.add(self.ctx.readv(bufs, fd, offset))
    }

    /// As [`Context::writev`].
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let record = batch.writev(vec![b"length ".to_vec(), b"payload".to_vec()], fd, 0);
    /// batch.submit()?;
    /// let (bytes, bufs) = record.await;
    /// # Ok(()) }
    /// ```
    pub fn writev<B: IoBuf + 'static>(&mut self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Operation<Writev<B>> {
        self.add(self.ctx.writev(bufs, fd, offset))
    }

    /// As [`Context::fsync`]. It is not ordered after the writes of the same batch.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// # let other = fd;
    /// let mut batch = ctx.batch();
    /// let syncs = [batch.fsync(fd), batch.fsync(other)];
    /// batch.submit()?;
    /// for sync in syncs {
    ///     sync.await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn fsync(&mut self, fd: &SharedFd) -> Operation<Fsync> {
        self.add(self.ctx.fsync(fd))
    }

    /// As [`Context::fdsync`]. It is not ordered after the writes of the same batch.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let (written, _) = ctx.write(b"first", fd, 0).await; // awaited, hence covered
    /// written?;
    /// let mut batch = ctx.batch();
    /// let sync = batch.fdsync(fd);
    /// let next = batch.write(b"second", fd, 5);
    /// batch.submit()?;
    /// sync.await?;
    /// # next.await.0?;
    /// # Ok(()) }
    /// ```
    pub fn fdsync(&mut self, fd: &SharedFd) -> Operation<Fsync> {
        self.add(self.ctx.fdsync(fd))
    }

    /// How many operations it has.
    ///
    /// ```
    /// # fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let sync = batch.fdsync(fd);
    /// assert_eq!(batch.len(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has none.
    ///
    /// ```
    /// # fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let batch = ctx.batch();
    /// if !batch.is_empty() {
    ///     batch.submit()?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Starts them all.
    ///
    /// # Errors
    /// If the context was closed, or belongs to the parent process. An operation's own error is its
    /// own result.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let (first, second) = (batch.read(512, fd, 0), batch.read(512, fd, 512));
    /// batch.submit()?; // both run, whether or not they are awaited
    /// let second = second.await?;
    /// # Ok(()) }
    /// ```
    pub fn submit(self) -> io::Result<()> {
        let shared = self.ctx.shared();
        shared.check_usable()?;
        let backend = self.ctx.backend_ref();
        let mut waits = false;
        for key in &self.keys {
            waits |= shared.admit(backend, *key).is_none();
        }
        backend.flush(Flush::Now);
        if waits {
            backend.arm();
        }
        Ok(())
    }

    /// Adds an operation.
    fn add<P: Payload + 'static>(&mut self, mut op: Operation<P>) -> Operation<P> {
        if self.keys.len() >= MAX_BATCH {
            op.fail(error::too_many_operations(MAX_BATCH));
        } else {
            self.keys.extend(op.stage());
        }
        op
    }
}
