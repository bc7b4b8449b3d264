//! A buffer that knows how often it was dropped.

use caio_core::{IoBuf, IoBufMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often a buffer was dropped, and what it was told to show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>, Arc<AtomicUsize>);

impl Drops {
    /// How often.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// How many bytes it was last told that a read had filled.
    pub(crate) fn shown(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }
}

/// A buffer that counts its drops.
#[derive(Debug)]
pub(crate) struct Tracked {
    /// The memory.
    pub(crate) bytes: Vec<u8>,
    /// The count.
    drops: Drops,
}

impl Tracked {
    /// A buffer with room for so many bytes, and its count.
    pub(crate) fn new(capacity: usize) -> (Self, Drops) {
        let drops = Drops::default();
        (Self { bytes: Vec::with_capacity(capacity), drops: drops.clone() }, drops)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.drops.0.fetch_add(1, Ordering::SeqCst);
    }
}

// SAFETY: the vector's memory stays where it is; it is private to this buffer.
unsafe impl IoBuf for Tracked {
    fn stable_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.bytes.len()
    }
}

// SAFETY: as above, for the vector's capacity.
unsafe impl IoBufMut for Tracked {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.bytes.capacity()
    }

    unsafe fn set_init(&mut self, len: usize) {
        self.drops.1.store(len, Ordering::SeqCst);
        // SAFETY: the caller's promise.
        unsafe { self.bytes.set_len(len) }
    }
}
