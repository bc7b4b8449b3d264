//! Buffers that an operation owns while it is in flight.

mod aligned;
#[cfg(feature = "bytes")]
mod bytes;
mod held;
mod owned;
mod slice;

pub use aligned::AlignedBuf;
pub(crate) use held::Held;
pub use slice::Slice;

/// The result of an operation and its buffer, which comes back on an error too.
///
/// ```
/// fn bytes_moved(result: caio_core::BufResult<usize, Vec<u8>>) -> std::io::Result<usize> {
///     let (moved, _buffer) = result;
///     moved
/// }
/// ```
pub type BufResult<T, B> = (std::io::Result<T>, B);

/// A buffer that an operation can write to a file.
///
/// Implemented for `Vec<u8>`, `Box<[u8]>`, `String`, `&'static [u8]`, `&'static [u8; N]`,
/// `&'static str`, `Arc<[u8]>`, [`AlignedBuf`], a [`Slice`] of any of them and, with the feature
/// `bytes`, `Bytes` and `BytesMut`.
///
/// ```
/// use caio_core::IoBuf;
/// assert_eq!(vec![1u8, 2, 3].bytes_init(), 3);
/// ```
///
/// # Safety
/// The memory at [`stable_ptr`](Self::stable_ptr) must be initialised for
/// [`bytes_init`](Self::bytes_init) bytes, and must stay where it is, allocated and unchanged,
/// while the value is moved about or leaked, until it is dropped or changed by somebody who owns it
/// or borrows it mutably, or until its type's lifetime ends (an operation takes `'static` buffers
/// only). Both functions must keep giving the same answer meanwhile.
pub unsafe trait IoBuf: Send {
    /// The first byte.
    fn stable_ptr(&self) -> *const u8;

    /// How many bytes are initialised: what a write takes.
    fn bytes_init(&self) -> usize;

    /// Narrows the buffer to a part of itself, which is then all that an operation sees.
    ///
    /// # Panics
    /// If the range begins beyond what is initialised, or ends before it begins or beyond the
    /// buffer.
    ///
    /// ```
    /// use caio_core::IoBuf;
    /// let part = b"Hello world".slice(6..);
    /// assert_eq!(&part[..], b"world");
    /// ```
    fn slice(self, range: impl std::ops::RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        Slice::new(self, range)
    }

    /// How many bytes a [`Slice`] may reach: what is initialised, or all the room where there is
    /// more.
    #[doc(hidden)]
    fn bytes_reach(&self) -> usize {
        self.bytes_init()
    }
}

/// A buffer that an operation can read a file into.
///
/// A read's room is [`bytes_total`](Self::bytes_total); how much was read is set afterwards.
///
/// ```
/// use caio_core::IoBufMut;
/// assert_eq!(Vec::<u8>::with_capacity(4096).bytes_total(), 4096);
/// ```
///
/// # Safety
/// As for [`IoBuf`], for [`bytes_total`](Self::bytes_total) bytes that may be uninitialised, that
/// nobody else reads or writes, and that start at the same address.
pub unsafe trait IoBufMut: IoBuf + 'static {
    /// The first byte.
    fn stable_mut_ptr(&mut self) -> *mut u8;

    /// How many bytes there is room for.
    fn bytes_total(&self) -> usize;

    /// Says that a read filled the first `len` bytes, and that no others are to be seen.
    /// A buffer whose length is fixed stays as long as it is.
    ///
    /// # Safety
    /// `len` is at most [`bytes_total`](Self::bytes_total), and the first `len` bytes are
    /// initialised.
    unsafe fn set_init(&mut self, len: usize);
}
