//! The buffers of the crate `bytes`.

use super::{IoBuf, IoBufMut};
use bytes::{Bytes, BytesMut};

// SAFETY: the handle keeps its shared memory where it is, and nobody can change that memory
// meanwhile.
unsafe impl IoBuf for Bytes {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: the handle owns its part of the memory, which stays where it is until the handle is
// changed.
unsafe impl IoBuf for BytesMut {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }

    fn bytes_reach(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: as above; no other handle reaches the capacity of this one.
unsafe impl IoBufMut for BytesMut {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }

    unsafe fn set_init(&mut self, len: usize) {
        // SAFETY: the caller promises that `len` is within the capacity and initialised.
        unsafe { self.set_len(len) }
    }
}
