//! A context whose calls are measured.

use crate::meter::{Meter, Timed};
use caio_core::{Fsync, IoBuf, IoBufMut, Operation, Read, ReadInto, Readv, SharedFd, Write, Writev};
use std::future::Future;
use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

/// A context whose calls are measured.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The context; taken when it goes.
    inner: Option<caio_core::Context>,
    /// Measures.
    meter: Arc<Meter>,
}

impl Context {
    /// Measures a context.
    pub(crate) fn new(inner: caio_core::Context, meter: &Arc<Meter>) -> Self {
        Self { inner: Some(inner), meter: Arc::clone(meter) }
    }

    /// Measures a future.
    fn timed<F>(&self, future: F) -> Timed<F> {
        Timed::new(future, &self.meter)
    }

    /// As the context's.
    pub(crate) fn read(&self, len: usize, fd: &SharedFd, offset: u64) -> Timed<Operation<Read>> {
        self.timed((**self).read(len, fd, offset))
    }

    /// As the context's.
    pub(crate) fn read_into<B: IoBufMut>(&self, buf: B, fd: &SharedFd, offset: u64) -> Timed<Operation<ReadInto<B>>> {
        self.timed((**self).read_into(buf, fd, offset))
    }

    /// As the context's.
    pub(crate) fn write<B>(&self, buf: B, fd: &SharedFd, offset: u64) -> Timed<Operation<Write<B>>>
    where
        B: IoBuf + 'static,
    {
        self.timed((**self).write(buf, fd, offset))
    }

    /// As the context's.
    pub(crate) fn readv<B: IoBufMut>(&self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Timed<Operation<Readv<B>>> {
        self.timed((**self).readv(bufs, fd, offset))
    }

    /// As the context's.
    pub(crate) fn writev<B>(&self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Timed<Operation<Writev<B>>>
    where
        B: IoBuf + 'static,
    {
        self.timed((**self).writev(bufs, fd, offset))
    }

    /// As the context's.
    pub(crate) fn fsync(&self, fd: &SharedFd) -> Timed<Operation<Fsync>> {
        self.timed((**self).fsync(fd))
    }

    /// As the context's.
    pub(crate) fn fdsync(&self, fd: &SharedFd) -> Timed<Operation<Fsync>> {
        self.timed((**self).fdsync(fd))
    }

    /// As the context's.
    pub(crate) fn batch(&self) -> Batch {
        Batch { inner: (**self).batch(), meter: Arc::clone(&self.meter) }
    }

    /// As the context's.
    pub(crate) fn close(&self) -> Timed<Pin<Box<dyn Future<Output = ()> + Send + '_>>> {
        self.timed(Box::pin((**self).close()))
    }
}

impl Deref for Context {
    type Target = caio_core::Context;

    fn deref(&self) -> &caio_core::Context {
        self.inner.as_ref().expect("it is taken only where the context goes")
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let inner = self.inner.take();
        self.meter.measure("a context's drop", || drop(inner));
    }
}

/// A batch whose submission is measured.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The batch.
    inner: caio_core::Batch,
    /// Measures.
    meter: Arc<Meter>,
}

impl Batch {
    /// As the batch's.
    pub(crate) fn read(&mut self, len: usize, fd: &SharedFd, offset: u64) -> Timed<Operation<Read>> {
        Timed::new(self.inner.read(len, fd, offset), &self.meter)
    }

    /// As the batch's.
    pub(crate) fn read_into<B>(&mut self, buf: B, fd: &SharedFd, offset: u64) -> Timed<Operation<ReadInto<B>>>
    where
        B: IoBufMut,
    {
        Timed::new(self.inner.read_into(buf, fd, offset), &self.meter)
    }

    /// As the batch's.
    pub(crate) fn write<B>(&mut self, buf: B, fd: &SharedFd, offset: u64) -> Timed<Operation<Write<B>>>
    where
        B: IoBuf + 'static,
    {
        Timed::new(self.inner.write(buf, fd, offset), &self.meter)
    }

    /// As the batch's.
    pub(crate) fn readv<B>(&mut self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Timed<Operation<Readv<B>>>
    where
        B: IoBufMut,
    {
        Timed::new(self.inner.readv(bufs, fd, offset), &self.meter)
    }

    /// As the batch's.
    pub(crate) fn writev<B>(&mut self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Timed<Operation<Writev<B>>>
    where
        B: IoBuf + 'static,
    {
        Timed::new(self.inner.writev(bufs, fd, offset), &self.meter)
    }

    /// As the batch's.
    pub(crate) fn fsync(&mut self, fd: &SharedFd) -> Timed<Operation<Fsync>> {
        Timed::new(self.inner.fsync(fd), &self.meter)
    }

    /// As the batch's.
    pub(crate) fn fdsync(&mut self, fd: &SharedFd) -> Timed<Operation<Fsync>> {
        Timed::new(self.inner.fdsync(fd), &self.meter)
    }

    /// As the batch's.
    pub(crate) fn len(&self) -> usize {
        self.inner.len()
    }

    /// As the batch's.
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// As the batch's.
    pub(crate) fn submit(self) -> io::Result<()> {
        let Self { inner, meter } = self;
        meter.measure("a batch's submit", || inner.submit())
    }
}
