//! Many operations, one submission.

use crate::buf::{IoBuf, IoBufMut};
use crate::context::Context;
use crate::key::Key;
use crate::operation::Operation;
use crate::payload::{Fsync, Payload, Read, ReadInto, Readv, Write, Writev};
use crate::{SharedFd, error};
use std::io;

/// The most operations that one batch takes.
pub const MAX_BATCH: usize = 4096;

/// Operations that start together, made by [`Context::batch`].
///
/// They reach the kernel in one submission, as many of them as there is room for; the others follow in their turn. They are
/// unordered, as all operations are. One that is awaited before its batch is submitted starts by itself; one that is dropped
/// before never starts.
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
        Self { ctx: ctx.clone(), keys: Vec::new() }
    }

    /// As [`Context::read`].
    pub fn read(&mut self, len: usize, fd: &SharedFd, offset: u64) -> Operation<Read> {
        self.add(self.ctx.read(len, fd, offset))
    }

    /// As [`Context::read_into`].
    pub fn read_into<B: IoBufMut>(&mut self, buf: B, fd: &SharedFd, offset: u64) -> Operation<ReadInto<B>> {
        self.add(self.ctx.read_into(buf, fd, offset))
    }

    /// As [`Context::write`].
    pub fn write<B: IoBuf>(&mut self, buf: B, fd: &SharedFd, offset: u64) -> Operation<Write<B>> {
        self.add(self.ctx.write(buf, fd, offset))
    }

    /// As [`Context::readv`].
    pub fn readv<B: IoBufMut>(&mut self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Operation<Readv<B>> {
        self.add(self.ctx.readv(bufs, fd, offset))
    }

    /// As [`Context::writev`].
    pub fn writev<B: IoBuf>(&mut self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Operation<Writev<B>> {
        self.add(self.ctx.writev(bufs, fd, offset))
    }

    /// As [`Context::fsync`]. It is not ordered after the writes of the same batch.
    pub fn fsync(&mut self, fd: &SharedFd) -> Operation<Fsync> {
        self.add(self.ctx.fsync(fd))
    }

    /// As [`Context::fdsync`]. It is not ordered after the writes of the same batch.
    pub fn fdsync(&mut self, fd: &SharedFd) -> Operation<Fsync> {
        self.add(self.ctx.fdsync(fd))
    }

    /// How many operations it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Starts them all.
    ///
    /// # Errors
    /// If the context was closed, or belongs to the parent process. An operation's own error is its own result.
    pub fn submit(self) -> io::Result<()> {
        let shared = self.ctx.shared();
        shared.check_usable()?;
        let mut waits = false;
        for key in &self.keys {
            waits |= shared.release(self.ctx.carrier(), *key);
        }
        self.ctx.carrier().flush();
        if waits {
            self.ctx.carrier().arm();
        }
        Ok(())
    }

    /// Adds an operation.
    fn add<P: Payload>(&mut self, mut op: Operation<P>) -> Operation<P> {
        if self.keys.len() >= MAX_BATCH {
            op.fail(error::too_many_operations(MAX_BATCH));
        } else {
            self.keys.extend(op.stage());
        }
        op
    }
}
