//! A value that the kernel may be writing to behind Rust's back.

use std::mem::MaybeUninit;

/// Owns a value without claiming, when it is moved, that nobody else touches what it points to.
///
/// Moving a `Box` tells the compiler that the box alone reaches its memory; while an operation is
/// in flight that is not so. Inside `MaybeUninit` no such claim is made.
#[derive(Debug)]
pub(crate) struct Held<T> {
    /// The value; initialised while `full`.
    value: MaybeUninit<T>,
    /// Whether the value is still here.
    full: bool,
}

impl<T> Held<T> {
    /// Takes a value in.
    pub(crate) const fn new(value: T) -> Self {
        Self { value: MaybeUninit::new(value), full: true }
    }

    /// An empty place.
    pub(crate) const fn empty() -> Self {
        Self { value: MaybeUninit::uninit(), full: false }
    }

    /// The value, for as long as no operation uses its memory.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: `full` says that the value is initialised.
        self.full.then(|| unsafe { self.value.assume_init_mut() })
    }

    /// Gives the value up, once no operation uses its memory.
    pub(crate) fn take(&mut self) -> Option<T> {
        if !std::mem::replace(&mut self.full, false) {
            return None;
        }
        // SAFETY: `full` said that the value is initialised, and is now unset, so it is read only
        // once.
        Some(unsafe { self.value.assume_init_read() })
    }

    /// Moves the value to another holder, without claiming anything of its memory.
    pub(crate) fn transfer(&mut self) -> Self {
        std::mem::replace(self, Self::empty())
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
