//! The buffers of the standard library.

use super::{IoBuf, IoBufMut};
use std::sync::Arc;

// SAFETY: a vector's heap memory stays where it is until the vector is changed or dropped; its
// first `len` bytes are initialised.
unsafe impl IoBuf for Vec<u8> {
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

// SAFETY: as above; the vector alone owns its whole capacity.
unsafe impl IoBufMut for Vec<u8> {
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

// SAFETY: a box's heap memory stays where it is until the box is dropped, and is all initialised.
unsafe impl IoBuf for Box<[u8]> {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above; the box alone owns it.
unsafe impl IoBufMut for Box<[u8]> {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.len()
    }

    unsafe fn set_init(&mut self, _len: usize) {}
}

// SAFETY: as for `Vec<u8>`.
unsafe impl IoBuf for String {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: memory that nobody changes for as long as the reference's lifetime.
unsafe impl IoBuf for &[u8] {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: memory that nobody changes for as long as the reference's lifetime.
unsafe impl<const N: usize> IoBuf for &[u8; N] {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        N
    }
}

// SAFETY: memory that nobody changes for as long as the reference's lifetime.
unsafe impl IoBuf for &str {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: shared memory that stays until its last owner is dropped, and that nobody can change
// while this owner is there (`Arc::get_mut` needs to be the only one, and a mutable borrow of it).
unsafe impl IoBuf for Arc<[u8]> {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}
