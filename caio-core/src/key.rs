//! The name of an operation in flight, as a kernel or a worker carries it.

/// Names one operation in flight: a place in the table and the generation that used it.
///
/// The place is reused, the generation is not (it wraps after 2^32 operations), so a late cancel or
/// a stale completion names nothing instead of somebody else's operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The place in the table.
    index: u32,
    /// Which use of that place.
    generation: u32,
}

impl Key {
    /// Makes the key of a place and its generation.
    pub(crate) const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The place in the table, below 2^31. No two operations that run have the same.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// The key as the 64 bits that a kernel interface carries for its caller (`user_data`,
    /// `aio_data`).
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The key that [`as_u64`](Self::as_u64) gave.
    #[must_use]
    pub const fn from_u64(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}
