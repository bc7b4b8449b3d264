//! The buffer that every peer reads into: page-aligned, so that one kind serves cached and direct I/O.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// What `O_DIRECT` asks for on every usual file system.
const ALIGN_BYTES: usize = 4096;

/// A heap buffer of fixed capacity that starts on a page boundary and is initialised throughout.
pub struct Block {
    /// Start of the allocation. Invariant: `capacity` initialised bytes, owned by this value alone.
    start: NonNull<u8>,
    /// Bytes allocated.
    capacity: usize,
    /// Bytes that the last transfer filled; what a write sends.
    len: usize,
}

// SAFETY: a `Block` is the only owner of plain bytes; nothing in it is tied to a thread.
unsafe impl Send for Block {}
// SAFETY: shared access only reads plain bytes.
unsafe impl Sync for Block {}

impl Block {
    /// A zeroed block of `size` bytes, all of them counted as filled.
    pub fn new(size: usize) -> Self {
        let layout = Self::layout(size);
        // SAFETY: every workload's block is larger than zero bytes, which `layout` asserts.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, capacity: size, len: size }
    }

    /// Where the bytes start; stays put when the block moves.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Where the bytes start; stays put when the block moves.
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// Bytes filled.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets how many bytes count as filled.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "a transfer larger than its buffer");
        self.len = len;
    }

    /// The filled bytes.
    pub fn filled(&self) -> &[u8] {
        // SAFETY: `len <= capacity`, and all of `capacity` is initialised and owned.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The whole room, filled or not.
    pub fn room(&mut self) -> &mut [u8] {
        // SAFETY: all of `capacity` is initialised and owned, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.capacity) }
    }

    /// The layout of a block of `size` bytes.
    fn layout(size: usize) -> Layout {
        assert!(size > 0, "an empty block");
        Layout::from_size_align(size, ALIGN_BYTES).expect("a block fits in the address space")
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this very layout, and freed once.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.capacity)) }
    }
}

/// What a task needs of a buffer to fill it before a write and check it after a read.
pub trait Content {
    /// The bytes that the last read filled.
    fn filled(&self) -> &[u8];
    /// The whole room, to be written next.
    fn room(&mut self) -> &mut [u8];
}

impl Content for Block {
    fn filled(&self) -> &[u8] {
        Block::filled(self)
    }

    fn room(&mut self) -> &mut [u8] {
        self.len = self.capacity;
        Block::room(self)
    }
}
