//! The handle that operations are made from.

use crate::backend::{Backend, BackendKind, Opened, Settings};
use crate::batch::Batch;
use crate::buf::{IoBuf, IoBufMut};
use crate::completer::Completer;
use crate::drain::{self, Drained};
use crate::driver::Driver;
use crate::handle::Handle;
use crate::operation::Operation;
use crate::payload::{Fsync, Read, ReadInto, Readv, Write, Writev};
use crate::select::{Builder, Refusal};
use crate::shared::Shared;
use crate::stats::Stats;
use crate::{SharedFd, error};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Reads, writes and syncs files without blocking the thread that asks. A cheap clone; one serves
/// any number of threads.
///
/// Its futures are `Send`, need no runtime, and run under any executor. At most
/// [`max_requests`](Self::max_requests) operations are in flight; more wait in the order in which
/// they came. Operations are unordered: two that touch the same range, or a sync and a write that
/// has not been awaited, happen in any order.
///
/// When the last handle and the last operation are gone, what still runs is cancelled or drained in
/// the background; dropping never blocks. After `fork` the child's use of its parent's context is
/// an error.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # if false {
/// let ctx = caio_core::Context::new()?;
/// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
/// let (written, _buf) = futures::executor::block_on(ctx.write(b"Hello world", &fd, 0));
/// assert_eq!(written?, 11);
/// # }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Context(Handle<Inner>);

/// What the clones share.
struct Inner {
    /// The operations.
    shared: Arc<Shared>,
    /// Who carries them out.
    backend: Arc<dyn Backend>,
    /// Which one it is.
    kind: BackendKind,
    /// The bound on operations in flight.
    max_requests: usize,
    /// The backends that refused before.
    rejected: Vec<Refusal>,
}

impl Context {
    /// Makes a context with the best backend that works here: see [`builder`](Self::builder).
    ///
    /// # Errors
    /// As [`Builder::build`].
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// let ctx = caio_core::Context::new()?;
    /// println!("{} is used, after {:?} refused", ctx.backend(), ctx.rejected());
    /// # Ok(()) }
    /// ```
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Chooses how a context is made, among the backends whose crates are linked in.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::{BackendKind, Context};
    /// let ctx = Context::builder().backend(BackendKind::Uring).max_requests(128).build()?;
    /// # Ok(()) }
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Makes a context with one backend, which `open` opens. For the backend crates; their users
    /// call `Uring::builder()`, `Aio::builder()` or `ThreadPool::builder()`, or
    /// [`builder`](Self::builder).
    ///
    /// # Errors
    /// Why the backend cannot be used. `InvalidInput` in it, if the bound is 0 or beyond
    /// [`MAX_REQUESTS_LIMIT`](crate::MAX_REQUESTS_LIMIT).
    ///
    /// ```
    /// use caio_core::{BackendKind, Completer, Context, Opened, Refusal, Settings};
    /// /// What a backend crate's builder ends with; `open` makes its backend.
    /// fn build(open: fn(&Settings, Completer) -> Result<Opened, Refusal>) -> std::io::Result<Context> {
    ///     let mut settings = Settings::default();
    ///     settings.max_requests = 64;
    ///     let (ctx, _no_driver) = Context::open(&settings, BackendKind::Thread, open)?;
    ///     Ok(ctx)
    /// }
    /// ```
    pub fn open(
        settings: &Settings,
        kind: BackendKind,
        open: impl FnOnce(&Settings, Completer) -> Result<Opened, Refusal>,
    ) -> Result<(Self, Option<Driver>), Refusal> {
        Self::open_after(settings, kind, Vec::new(), open).map_err(|(refusal, _)| refusal)
    }

    /// As [`open`](Self::open), after other backends have refused. On a refusal they are given
    /// back.
    pub(crate) fn open_after(
        settings: &Settings,
        kind: BackendKind,
        rejected: Vec<Refusal>,
        open: impl FnOnce(&Settings, Completer) -> Result<Opened, Refusal>,
    ) -> Result<(Self, Option<Driver>), (Refusal, Vec<Refusal>)> {
        if let Err((step, error)) = settings.check() {
            return Err((Refusal::new(kind, step, error, "choose another bound"), rejected));
        }
        let completer = Completer(Shared::new(settings.max_requests, settings.spin));
        let opened = match open(settings, completer.clone()) {
            Ok(opened) => opened,
            Err(refusal) => return Err((refusal, rejected)),
        };
        let Opened { backend, kind, max_requests, driver } = opened;
        let Completer(shared) = completer;
        shared.attach(Arc::downgrade(&backend), max_requests, driver.as_ref().map(Arc::downgrade));
        crate::trace::opened(kind, max_requests);
        let driver = driver.map(|drive| Driver::new(drive, Arc::clone(&shared)));
        Ok((Self(Handle::new(Inner { shared, backend, kind, max_requests, rejected })), driver))
    }

    /// As [`open`](Self::open), with a driver.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Unsupported` where the backend has no driver on this system.
    #[doc(hidden)]
    pub fn open_driven(
        mut settings: Settings,
        kind: BackendKind,
        open: impl FnOnce(&Settings, Completer) -> Result<Opened, Refusal>,
    ) -> io::Result<(Self, Driver)> {
        settings.driven = true;
        let (context, driver) = Self::open(&settings, kind, open)?;
        Ok((context, driver.ok_or_else(|| error::no_driver(kind))?))
    }

    /// Reads at most `len` bytes at `offset` into a vector of its own, which is empty at the end of
    /// the file.
    ///
    /// The result may be shorter than asked for, as that of `pread(2)`, and is never longer than
    /// [`MAX_TRANSFER`](crate::MAX_TRANSFER). An `offset` of `u64::MAX`,
    /// [`NO_OFFSET`](crate::NO_OFFSET), means 'no offset', as a pipe needs: the operation is then
    /// that of `read(2)`. The minimum kernel is that of the [`BackendKind`].
    ///
    /// # Errors
    /// The operation's result is an error: that of the system call; `InvalidInput` for an offset
    /// beyond `i64::MAX`; `NotSeekable` (`ESPIPE`) for an offset in a stream; `OutOfMemory` if
    /// there is no memory for `len` bytes; an error of its own if the context was closed, or
    /// belongs to the parent process.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let (mut content, mut end) = (Vec::new(), 0);
    /// loop {
    ///     let data = ctx.read(65536, fd, end).await?;
    ///     if data.is_empty() {
    ///         break;
    ///     }
    ///     end += data.len() as u64;
    ///     content.extend(data);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read(&self, len: usize, fd: &SharedFd, offset: u64) -> Operation<Read> {
        Operation::new(self, Read::new(len), fd, offset)
    }

    /// Reads at `offset` into a buffer's whole capacity, and sets its length to what was read.
    ///
    /// The result may be shorter than that, as that of `pread(2)`; 0 is the end of the file. Offset
    /// and minimum kernel are as for [`read`](Self::read).
    ///
    /// # Errors
    /// As [`read`](Self::read); the buffer comes back with the error.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut buf = Vec::with_capacity(4096);
    /// for page in 0..8 {
    ///     let (bytes, same) = ctx.read_into(buf, fd, page * 4096).await;
    ///     println!("page {page}: {} bytes", bytes?);
    ///     buf = same; // the next page is read into the same memory
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read_into<B: IoBufMut>(&self, buf: B, fd: &SharedFd, offset: u64) -> Operation<ReadInto<B>> {
        Operation::new(self, ReadInto(buf), fd, offset)
    }

    /// Writes a buffer at `offset`. The result may be less than its length, as that of `pwrite(2)`.
    ///
    /// Without an offset, [`NO_OFFSET`](crate::NO_OFFSET), it is that of `write(2)`. The minimum
    /// kernel is that of the [`BackendKind`].
    ///
    /// # Errors
    /// As [`read`](Self::read), such as `StorageFull` (`ENOSPC`) or `BrokenPipe` (`EPIPE`); the
    /// buffer comes back with the error.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// use caio_core::IoBuf;
    /// let (written, text) = ctx.write(String::from("Hello world"), fd, 0).await;
    /// let written = written?;
    /// if written < text.len() {
    ///     let (rest, _) = ctx.write(text.slice(written..), fd, written as u64).await;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn write<B: IoBuf + 'static>(&self, buf: B, fd: &SharedFd, offset: u64) -> Operation<Write<B>> {
        Operation::new(self, Write(buf), fd, offset)
    }

    /// Reads at `offset` into several buffers in turn, see `preadv(2)`; without an offset,
    /// `readv(2)`. The lengths that are set add up to the result. The minimum kernel is that of the
    /// [`BackendKind`].
    ///
    /// # Errors
    /// As [`read`](Self::read); `InvalidInput` for more than [`MAX_BUFFERS`](crate::MAX_BUFFERS).
    /// The buffers come back with it.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let bufs = vec![Vec::with_capacity(16), Vec::with_capacity(4096)];
    /// let (bytes, bufs) = ctx.readv(bufs, fd, 0).await;
    /// let [header, body] = bufs.as_slice() else { unreachable!("both come back") };
    /// println!("{} bytes of header, {} of body", header.len(), body.len());
    /// # Ok(()) }
    /// ```
    pub fn readv<B: IoBufMut>(&self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Operation<Readv<B>> {
        Operation::new(self, Readv::new(bufs), fd, offset)
    }

    /// Writes several buffers in turn at `offset`, see `pwritev(2)`; without an offset,
    /// `writev(2)`. The result may be less than their lengths in all. The minimum kernel is that of
    /// the [`BackendKind`].
    ///
    /// # Errors
    /// As [`write`](Self::write); `InvalidInput` for more than [`MAX_BUFFERS`](crate::MAX_BUFFERS).
    /// The buffers come back with it.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let bufs = vec![b"name: ".to_vec(), b"value\n".to_vec()];
    /// let (bytes, bufs) = ctx.writev(bufs, fd, 0).await;
    /// assert!(bytes? <= 12);
    /// # Ok(()) }
    /// ```
    pub fn writev<B: IoBuf + 'static>(&self, bufs: Vec<B>, fd: &SharedFd, offset: u64) -> Operation<Writev<B>> {
        Operation::new(self, Writev::new(bufs), fd, offset)
    }

    /// Brings data and metadata to the disk: `fsync(2)`, on macOS `F_FULLFSYNC`. It covers the
    /// writes that were awaited before it started, and says nothing of those in flight. The minimum
    /// kernel is that of the [`BackendKind`].
    ///
    /// # Errors
    /// The operation's result is an error: that of the system call, such as `EIO` for a write that
    /// did not reach the disk, or `InvalidInput` (`EINVAL`) for a file that cannot be synced, such
    /// as a pipe; an error of its own if the context was closed, or belongs to the parent process.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let (written, _) = ctx.write(b"Hello world", fd, 0).await;
    /// written?;
    /// ctx.fsync(fd).await?; // now it outlasts a power failure
    /// # Ok(()) }
    /// ```
    pub fn fsync(&self, fd: &SharedFd) -> Operation<Fsync> {
        Operation::new(self, Fsync { data_only: false }, fd, 0)
    }

    /// Brings data, and the metadata needed to read it back, to the disk: `fdatasync(2)`. As
    /// [`fsync`](Self::fsync) otherwise.
    ///
    /// # Errors
    /// As [`fsync`](Self::fsync).
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// for (record, offset) in [("first", 0), ("second", 5)] {
    ///     ctx.write(record, fd, offset).await.0?;
    /// }
    /// ctx.fdsync(fd).await?; // one sync for both
    /// # Ok(()) }
    /// ```
    pub fn fdsync(&self, fd: &SharedFd) -> Operation<Fsync> {
        Operation::new(self, Fsync { data_only: true }, fd, 0)
    }

    /// Begins a batch of operations that start together.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let mut batch = ctx.batch();
    /// let (header, trailer) = (batch.read(512, fd, 0), batch.read(512, fd, 1 << 20));
    /// batch.submit()?;
    /// let (header, trailer) = (header.await?, trailer.await?);
    /// # Ok(()) }
    /// ```
    pub fn batch(&self) -> Batch {
        Batch::new(self)
    }

    /// Which backend carries the operations out.
    ///
    /// ```
    /// # fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// use caio_core::BackendKind;
    /// if ctx.backend() == BackendKind::Thread {
    ///     println!("no kernel interface could be used: {:?}", ctx.rejected());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn backend(&self) -> BackendKind {
        self.0.kind
    }

    /// The bound on operations in flight. Less than was asked for where the system had no room for
    /// more.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// # use futures::StreamExt;
    /// let pages = futures::stream::iter(0..1000).map(|page| ctx.read(4096, fd, page * 4096));
    /// let mut pages = pages.buffer_unordered(ctx.max_requests()); // as many at a time as run at a time
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_requests(&self) -> usize {
        self.0.max_requests
    }

    /// How many operations are in flight now.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let read = ctx.read(4096, fd, 0).submit();
    /// assert!(ctx.in_flight() <= ctx.max_requests());
    /// read.await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> usize {
        if self.0.shared.is_inherited() { 0 } else { self.0.shared.table.running() }
    }

    /// How many operations wait for room now.
    ///
    /// ```
    /// # fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// if ctx.queued() > 10 * ctx.max_requests() {
    ///     println!("requests arrive faster than the disk serves them");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn queued(&self) -> usize {
        if self.0.shared.is_inherited() { 0 } else { self.0.shared.table.waiting() }
    }

    /// What was done so far.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let before = ctx.stats().bytes_read;
    /// let data = ctx.read(4096, fd, 0).await?;
    /// println!("{} bytes were read by all tasks meanwhile", ctx.stats().bytes_read - before);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.shared.stats.snapshot()
    }

    /// The backends that were tried first and refused, each with errno, reason and remedy.
    ///
    /// ```
    /// # fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// for refusal in ctx.rejected() {
    ///     eprintln!("{} would be faster; {}", refusal.backend(), refusal.remedy());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn rejected(&self) -> &[Refusal] {
        &self.0.rejected
    }

    /// Refuses new operations, and waits until those in flight, and those that wait for room, have
    /// ended.
    ///
    /// ```
    /// # async fn example(ctx: &caio_core::Context, fd: &caio_core::SharedFd) -> std::io::Result<()> {
    /// let write = ctx.write(b"last words", fd, 0).submit();
    /// ctx.close().await; // the write has ended
    /// write.await.0?;
    /// assert!(ctx.read(4096, fd, 0).await.is_err());
    /// # Ok(()) }
    /// ```
    pub async fn close(&self) {
        let shared = &self.0.shared;
        if shared.is_inherited() {
            return;
        }
        shared.close();
        self.0.backend.arm();
        Drained::new(shared).await;
        shared.stop();
        self.0.backend.shutdown();
    }

    /// As [`close`](Self::close), for a thread that has no executor: waits no longer than
    /// `timeout`, and says whether everything has ended. It blocks; no task may call it.
    ///
    /// ```
    /// # fn with(ctx: &caio_core::Context) {
    /// assert!(ctx.close_blocking(std::time::Duration::from_secs(5)));
    /// # }
    /// ```
    #[must_use = "what has not ended goes on"]
    pub fn close_blocking(&self, timeout: Duration) -> bool {
        drain::block_on(self.close(), timeout)
    }

    /// Whether the context was closed, or its driver dropped: then it takes no new operations.
    ///
    /// ```
    /// # fn with(ctx: &caio_core::Context) {
    /// futures::executor::block_on(ctx.close());
    /// assert!(ctx.is_closed());
    /// # }
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.shared.is_closed()
    }

    /// A clone that counts together with this one.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.share())
    }

    /// What it shares with its futures and its backend.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Who carries out.
    pub(crate) fn backend_ref(&self) -> &dyn Backend {
        &*self.0.backend
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.shared.is_inherited() {
            // The parent's locks may be held in this copy of them, and its threads are not here:
            // leak it all.
            std::mem::forget((Arc::clone(&self.shared), Arc::clone(&self.backend)));
            return;
        }
        self.shared.stop();
        self.backend.shutdown();
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("backend", &self.0.kind)
            .field("max_requests", &self.0.max_requests)
            .finish_non_exhaustive()
    }
}
