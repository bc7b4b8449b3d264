//! A part of a buffer.

use super::{IoBuf, IoBufMut};
use std::ops::{Bound, Deref, RangeBounds};

/// A part of a buffer, made by [`IoBuf::slice`]; it owns the whole.
///
/// ```
/// use caio_core::IoBuf;
/// let part = vec![0u8; 4096].slice(..512);
/// assert_eq!(part.len(), 512);
/// assert_eq!(part.into_inner().len(), 4096);
/// ```
#[derive(Debug)]
pub struct Slice<B> {
    /// The whole buffer.
    buf: B,
    /// Where the part begins, in bytes: within what the buffer has initialised.
    begin: usize,
    /// Where the part ends, in bytes: within what the buffer can reach.
    end: usize,
    /// Where what the part holds ends, in bytes: within what the buffer has initialised.
    filled: usize,
}

impl<B: IoBuf> Slice<B> {
    /// See [`IoBuf::slice`].
    pub(super) fn new(buf: B, range: impl RangeBounds<usize>) -> Self {
        let begin = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => buf.bytes_reach(),
        };
        assert!(begin <= end, "the slice {begin}..{end} ends before it begins");
        assert!(
            begin <= buf.bytes_init(),
            "the slice begins at {begin}, beyond the {} initialised bytes",
            buf.bytes_init()
        );
        assert!(
            end <= buf.bytes_reach(),
            "the slice ends at {end}, beyond the {} bytes of the buffer",
            buf.bytes_reach()
        );
        let filled = buf.bytes_init().min(end);
        Self { buf, begin, end, filled }
    }

    /// The whole buffer back.
    ///
    /// ```
    /// use caio_core::IoBuf;
    /// let part = b"Hello world".slice(6..);
    /// assert_eq!(&part.into_inner()[..], b"Hello world");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> B {
        self.buf
    }

    /// The whole buffer.
    ///
    /// ```
    /// use caio_core::IoBuf;
    /// let part = vec![7u8; 4096].slice(..512);
    /// assert_eq!((part.len(), part.get_ref().len()), (512, 4096));
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.buf
    }
}

impl<B: IoBuf> Deref for Slice<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `IoBuf` promises `bytes_init` initialised bytes, and the part is clamped to them.
        unsafe { std::slice::from_raw_parts(self.stable_ptr(), self.bytes_init()) }
    }
}

// SAFETY: a part of a buffer whose implementor made the same promise.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    fn stable_ptr(&self) -> *const u8 {
        // SAFETY: `begin` is at most what the buffer has initialised, so the result is within it or
        // one past it.
        unsafe { self.buf.stable_ptr().add(self.begin.min(self.buf.bytes_init())) }
    }

    fn bytes_init(&self) -> usize {
        self.buf.bytes_init().min(self.filled).saturating_sub(self.begin)
    }

    fn bytes_reach(&self) -> usize {
        self.end - self.begin
    }
}

// SAFETY: a part of a buffer whose implementor made the same promise; nobody else can reach the
// buffer mutably, so that what `new` checked still holds.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        let begin = self.begin.min(self.buf.bytes_init());
        // SAFETY: `begin` is at most what the buffer has initialised, so the result is within it or
        // one past it.
        unsafe { self.buf.stable_mut_ptr().add(begin) }
    }

    fn bytes_total(&self) -> usize {
        self.buf.bytes_total().min(self.end).saturating_sub(self.begin)
    }

    unsafe fn set_init(&mut self, len: usize) {
        self.filled = self.begin + len;
        if self.filled > self.buf.bytes_init() {
            // SAFETY: the caller promises that `len` bytes from `begin` on are initialised and
            // within the part; those before `begin` were already, as `new` checked.
            unsafe { self.buf.set_init(self.filled) }
        }
    }
}
