//! Shared ownership whose count does not travel between cores with every operation.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// An owner of something shared, counted in two levels.
///
/// Each operation shares its file and its context. With one count, threads that work on the same
/// file would fight over it at each operation, which costs more than a copy of 4 KiB. So each clone
/// that a user makes, usually one per task, has a count of its own, which the operations made from
/// it share.
pub(crate) struct Handle<T>(Arc<Leaf<T>>);

/// One clone that a user made; alone in its cache lines.
#[repr(align(128))]
struct Leaf<T>(Arc<T>);

impl<T> Handle<T> {
    /// The first owner.
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Leaf(Arc::new(value))))
    }

    /// An owner that counts together with this one.
    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Whether there is no other owner.
    pub(crate) fn is_alone(&mut self) -> bool {
        Arc::strong_count(&self.0) == 1 && Arc::strong_count(&self.0.0) == 1
    }

    /// Whether both own the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.0, &other.0.0)
    }

    /// Where it is.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0.0) as usize
    }

    /// The value, if this is its last owner.
    pub(crate) fn try_unwrap(self) -> Result<T, Self> {
        let Leaf(root) = Arc::try_unwrap(self.0).map_err(Self)?;
        Arc::try_unwrap(root).map_err(|root| Self(Arc::new(Leaf(root))))
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self(Arc::new(Leaf(Arc::clone(&self.0.0))))
    }
}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
