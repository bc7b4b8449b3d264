//! A buffer at an aligned address, as `O_DIRECT` needs it.

use super::{IoBuf, IoBufMut};
use std::alloc::{self, Layout};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A buffer whose address is a multiple of a power of two, for files opened with `O_DIRECT`.
///
/// A new one is empty and has room for its capacity, as a `Vec` made by `with_capacity`; it never
/// grows.
///
/// ```
/// use caio_core::AlignedBuf;
/// let mut buf = AlignedBuf::new(4096, 4096);
/// assert_eq!((buf.len(), buf.capacity(), buf.as_ptr() as usize % 4096), (0, 4096, 0));
/// buf.extend_from_slice(b"data");
/// assert_eq!(&buf[..], b"data");
/// ```
pub struct AlignedBuf {
    /// The memory; all of it is initialised.
    ptr: NonNull<u8>,
    /// Its size and alignment.
    layout: Layout,
    /// How many bytes of it are in use.
    len: usize,
}

// SAFETY: it owns its memory as a `Vec<u8>` does.
unsafe impl Send for AlignedBuf {}
// SAFETY: as above; it has no interior mutability.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// Makes an empty buffer with room for `capacity` bytes at a multiple of `alignment` bytes.
    ///
    /// # Panics
    /// If `alignment` is not a power of two, or `capacity` rounded up to it exceeds `isize::MAX`.
    ///
    /// ```
    /// let buf = caio_core::AlignedBuf::new(1000, 512);
    /// assert_eq!((buf.len(), buf.capacity()), (0, 1000)); // its address is aligned, its size is as asked for
    /// assert_eq!(buf.as_ptr() as usize % 512, 0);
    /// ```
    #[must_use]
    pub fn new(capacity: usize, alignment: usize) -> Self {
        let Ok(layout) = Layout::from_size_align(capacity, alignment) else {
            panic!(
                "{capacity} bytes aligned to {alignment}: the alignment must be a power of two and the size at most isize::MAX"
            );
        };
        if capacity == 0 {
            let nowhere = std::ptr::without_provenance_mut(alignment);
            return Self { ptr: NonNull::new(nowhere).unwrap_or(NonNull::dangling()), layout, len: 0 };
        }
        // SAFETY: the layout's size is not zero.
        let memory = unsafe { alloc::alloc_zeroed(layout) };
        let Some(ptr) = NonNull::new(memory) else { alloc::handle_alloc_error(layout) };
        Self { ptr, layout, len: 0 }
    }

    /// Makes a full buffer of `len` zeros at a multiple of `alignment` bytes.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    ///
    /// ```
    /// assert_eq!(caio_core::AlignedBuf::zeroed(512, 512).len(), 512);
    /// ```
    #[must_use]
    pub fn zeroed(len: usize, alignment: usize) -> Self {
        let mut buf = Self::new(len, alignment);
        buf.len = len;
        buf
    }

    /// How many bytes there is room for.
    ///
    /// ```
    /// let mut buf = caio_core::AlignedBuf::zeroed(4096, 4096);
    /// buf.clear();
    /// assert_eq!(buf.capacity(), 4096); // what a read into it may fill
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.layout.size()
    }

    /// What the address is a multiple of, in bytes.
    ///
    /// ```
    /// let buf = caio_core::AlignedBuf::zeroed(4096, 512);
    /// let room = caio_core::AlignedBuf::new(buf.len(), buf.alignment()); // another of the same kind
    /// assert_eq!(room.alignment(), 512);
    /// ```
    #[must_use]
    pub fn alignment(&self) -> usize {
        self.layout.align()
    }

    /// Forgets the bytes, keeps the room.
    ///
    /// ```
    /// let mut buf = caio_core::AlignedBuf::zeroed(4096, 4096);
    /// buf.clear();
    /// assert!(buf.is_empty());
    /// ```
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Keeps the first `len` bytes, or all where there are fewer.
    ///
    /// ```
    /// let mut buf = caio_core::AlignedBuf::new(16, 16);
    /// buf.extend_from_slice(b"data\0\0\0\0");
    /// buf.truncate(4);
    /// assert_eq!(&buf[..], b"data");
    /// ```
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends bytes.
    ///
    /// # Panics
    /// If there is no room for them: an aligned buffer does not grow.
    ///
    /// ```
    /// let mut block = caio_core::AlignedBuf::new(512, 512);
    /// block.extend_from_slice(b"header");
    /// block.extend_from_slice(&[0; 506]); // padded, as `O_DIRECT` needs it
    /// assert_eq!(block.len(), 512);
    /// ```
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        assert!(end <= self.capacity(), "{end} bytes do not fit into the {} of this buffer", self.capacity());
        let begin = std::mem::replace(&mut self.len, end);
        self[begin..].copy_from_slice(bytes);
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.layout.size() != 0 {
            // SAFETY: `new` allocated this memory with this layout, and nobody else frees it.
            unsafe { alloc::dealloc(self.ptr.as_ptr(), self.layout) }
        }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the memory is ours, initialised since `new`, and `len` is within it.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; the mutable borrow makes it exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl std::fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlignedBuf")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .field("alignment", &self.alignment())
            .finish()
    }
}

// SAFETY: the memory stays where it is until the buffer is dropped, and is all initialised.
unsafe impl IoBuf for AlignedBuf {
    fn stable_ptr(&self) -> *const u8 {
        self.ptr.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len
    }

    fn bytes_reach(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: as above; the buffer alone owns its memory.
unsafe impl IoBufMut for AlignedBuf {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }

    unsafe fn set_init(&mut self, len: usize) {
        debug_assert!(len <= self.capacity());
        self.len = len;
    }
}
