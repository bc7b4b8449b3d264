//! Buffers that are registered with the kernel once, instead of being mapped for each transfer.

use caio_core::support::lock;
use caio_core::{IoBuf, IoBufMut, Region};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

/// The alignment of each buffer: enough for `O_DIRECT` everywhere.
const ALIGNMENT: usize = 4096;
/// The most bytes that one registration takes.
const MAX_BYTES: usize = 1 << 30;

/// Buffers of one size in one piece of memory, to be registered with
/// [`Builder::registered_buffers`](crate::Builder::registered_buffers). A cheap clone.
///
/// With any other context its buffers are ordinary ones. The memory goes once the pool, its buffers
/// and the contexts that it was registered with are gone.
///
/// ```
/// let pool = caio_uring::BufPool::new(2, 4096)?;
/// let (a, b) = (pool.take().unwrap(), pool.take().unwrap());
/// assert!(pool.take().is_none());
/// drop(a);
/// assert!(pool.take().is_some());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct BufPool(Arc<Memory>);

/// The memory of a pool.
struct Memory {
    /// The first byte; all are initialised.
    base: NonNull<u8>,
    /// How many there are, and how they are aligned.
    layout: Layout,
    /// How many bytes each buffer has.
    size: usize,
    /// How many bytes lie between the beginnings of two buffers.
    stride: usize,
    /// The buffers that nobody has.
    free: Mutex<Vec<usize>>,
}

// SAFETY: the memory belongs to whoever has a buffer of it, and `free` says that nobody else does.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl BufPool {
    /// Makes `count` buffers of `size` bytes, each aligned to 4096 bytes and zeroed.
    ///
    /// # Errors
    /// `InvalidInput`, if that is nothing or more than 1 GiB; `OutOfMemory`.
    pub fn new(count: usize, size: usize) -> io::Result<Self> {
        let stride = size.checked_next_multiple_of(ALIGNMENT);
        let bytes = stride.and_then(|stride| stride.checked_mul(count)).filter(|bytes| (1..=MAX_BYTES).contains(bytes));
        let (Some(stride), Some(bytes)) = (stride, bytes) else {
            let text = format!("{count} buffers of {size} bytes: a pool has between 1 byte and 1 GiB");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let layout = Layout::from_size_align(bytes, ALIGNMENT).map_err(io::Error::other)?;
        // SAFETY: the size is not 0.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) });
        let base = base.ok_or(io::ErrorKind::OutOfMemory)?;
        let free = Mutex::new((0..count).rev().collect());
        Ok(Self(Arc::new(Memory { base, layout, size, stride, free })))
    }

    /// Takes a buffer, if one is free. It has no content yet; a read fills it, [`PooledBuf::fill`]
    /// does too.
    #[must_use]
    pub fn take(&self) -> Option<PooledBuf> {
        let index = lock(&self.0.free).pop()?;
        Some(PooledBuf { pool: self.clone(), index, len: 0 })
    }

    /// Whether a region lies in the pool's memory.
    pub(crate) fn contains(&self, region: &Region) -> bool {
        let base = self.0.base.as_ptr() as usize;
        let start = region.as_ptr() as usize;
        start >= base && start.saturating_add(region.len()) <= base + self.0.layout.size()
    }

    /// The memory, to be registered.
    pub(crate) fn iovec(&self) -> libc::iovec {
        libc::iovec { iov_base: self.0.base.as_ptr().cast(), iov_len: self.0.layout.size() }
    }
}

impl fmt::Debug for BufPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufPool")
            .field("size", &self.0.size)
            .field("bytes", &self.0.layout.size())
            .finish_non_exhaustive()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it with this layout, and the last owner is gone.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

/// A buffer of a [`BufPool`], which goes back to it when dropped. It dereferences to its content.
///
/// ```
/// let pool = caio_uring::BufPool::new(1, 4096)?;
/// let mut buf = pool.take().unwrap();
/// buf.fill(b"Hello");
/// assert_eq!(&buf[..], b"Hello");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PooledBuf {
    /// Where it belongs.
    pool: BufPool,
    /// Which one it is. # Invariant: nobody else has it.
    index: usize,
    /// How many bytes its content has, at most the pool's size.
    len: usize,
}

impl PooledBuf {
    /// Makes a copy of `content` its content, as much as there is room for; says how much that is.
    pub fn fill(&mut self, content: &[u8]) -> usize {
        self.len = content.len().min(self.capacity());
        let len = self.len;
        self.copy_from_slice(&content[..len]);
        len
    }

    /// How many bytes there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.pool.0.size
    }

    /// The first byte.
    fn start(&self) -> *mut u8 {
        // SAFETY: `index` is below the count of buffers, each of which has `stride` bytes.
        unsafe { self.pool.0.base.as_ptr().add(self.index * self.pool.0.stride) }
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the buffer is ours alone, and was zeroed when the pool was made.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }
}

impl DerefMut for PooledBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len) }
    }
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        lock(&self.pool.0.free).push(self.index);
    }
}

// SAFETY: the pool's memory stays until its last buffer is dropped; the buffer is ours alone, and
// initialised.
unsafe impl IoBuf for PooledBuf {
    fn stable_ptr(&self) -> *const u8 {
        self.start()
    }

    fn bytes_init(&self) -> usize {
        self.len
    }

    fn bytes_reach(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for PooledBuf {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.start()
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }

    unsafe fn set_init(&mut self, len: usize) {
        self.len = len;
    }
}

/// Buffers travel with their operations.
const _: fn() = || {
    fn send_sync<T: Send + Sync>() {}
    send_sync::<BufPool>();
    send_sync::<PooledBuf>();
};
