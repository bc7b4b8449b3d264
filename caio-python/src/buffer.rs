//! Python's memory as buffers of the engine: `bytes` that a read fills, and objects that lend theirs.

use crate::sync::lock;
use caio_core::{IoBuf, IoBufMut, MAX_TRANSFER};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{PyErr, ffi};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Mutex;

/// A new `bytes` object that a read fills; nobody else has seen it.
#[derive(Debug)]
pub(crate) struct NewBytes {
    /// The object.
    object: Py<PyBytes>,
    /// Its bytes.
    memory: *mut u8,
    /// How many there are.
    len: usize,
    /// How many were read.
    filled: usize,
}

// SAFETY: the object is this value's alone, and so its bytes are.
unsafe impl Send for NewBytes {}
// SAFETY: as above; through a shared reference nothing is changed.
unsafe impl Sync for NewBytes {}

impl NewBytes {
    /// Makes an object of so many bytes, which are not initialised.
    pub(crate) fn new(py: Python<'_>, len: usize) -> PyResult<Self> {
        let size = isize::try_from(len).map_err(|_| pyo3::exceptions::PyOverflowError::new_err("too many bytes"))?;
        // SAFETY: `py` says that we are attached. NULL stands for bytes that are not initialised; the result is owned or NULL.
        let object = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(ptr::null(), size))? };
        let object = object.cast_into::<PyBytes>()?;
        // SAFETY: it is a `bytes` object, and we are attached.
        let memory = unsafe { ffi::PyBytes_AsString(object.as_ptr()) };
        Ok(Self { object: object.unbind(), memory: memory.cast(), len, filled: 0 })
    }

    /// The object, cut to what was read.
    pub(crate) fn finish(self, py: Python<'_>) -> Py<PyBytes> {
        if self.filled == self.len {
            return self.object;
        }
        PyBytes::new(py, self.read()).unbind()
    }

    /// What was read.
    pub(crate) fn read(&self) -> &[u8] {
        // SAFETY: so many bytes were initialised by `set_init`, and the object keeps them.
        unsafe { std::slice::from_raw_parts(self.memory, self.filled) }
    }

    /// Copies the beginning of what another buffer has read.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        let filled = bytes.len().min(self.len);
        // SAFETY: nobody else has the object, which has room for them; two owners' memory does not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory, filled) }
        self.filled = filled;
    }

    /// How many bytes there is room for.
    pub(crate) fn room(&self) -> usize {
        self.len
    }
}

// SAFETY: a `bytes` object never moves its memory, and lives as long as this value; `filled` of them are initialised.
unsafe impl IoBuf for NewBytes {
    fn stable_ptr(&self) -> *const u8 {
        self.memory
    }

    fn bytes_init(&self) -> usize {
        self.filled
    }
}

// SAFETY: as above; nobody else has the object until `finish`.
unsafe impl IoBufMut for NewBytes {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.memory
    }

    fn bytes_total(&self) -> usize {
        self.len.min(MAX_TRANSFER)
    }

    unsafe fn set_init(&mut self, len: usize) {
        self.filled = len;
    }
}

/// An object's memory, lent by the buffer protocol; while it is lent, the object does not change its size.
pub(crate) struct Lent {
    /// The loan.
    view: ManuallyDrop<PyUntypedBuffer>,
    /// Its bytes.
    memory: *mut u8,
    /// How many there are.
    len: usize,
}

// SAFETY: the loan holds the memory whichever thread has it; its end is left to a thread that is attached.
unsafe impl Send for Lent {}
// SAFETY: as above; through a shared reference nothing is changed.
unsafe impl Sync for Lent {}

/// Loans whose operations ended in a thread without the GIL.
static OVER: Mutex<Vec<PyUntypedBuffer>> = Mutex::new(Vec::new());

impl Lent {
    /// Borrows an object's memory.
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let view = PyUntypedBuffer::get(object)?;
        if !view.is_c_contiguous() {
            return Err(PyBufferError::new_err("the buffer is not contiguous"));
        }
        let (memory, len) = (view.buf_ptr().cast(), view.len_bytes());
        Ok(Self { view: ManuallyDrop::new(view), memory, len })
    }

    /// Borrows an object's memory to write to it.
    pub(crate) fn writable(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let lent = Self::new(object)?;
        if lent.view.readonly() {
            return Err(PyValueError::new_err("a writable buffer is needed, such as a bytearray"));
        }
        Ok(lent)
    }

    /// Ends the loan now.
    pub(crate) fn end(self, py: Python<'_>) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped after it.
        unsafe { ManuallyDrop::take(&mut this.view) }.release(py);
    }

    /// How many bytes are lent.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies what another buffer has read.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        // SAFETY: the memory is lent for writing, and has so much room; `bytes` is somebody else's.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory, bytes.len().min(self.len)) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: it is neither used nor dropped after it.
        let view = unsafe { ManuallyDrop::take(&mut self.view) };
        lock(&OVER).push(view);
    }
}

/// Ends the loans of operations that ended in a thread without the GIL.
pub(crate) fn end_loans(py: Python<'_>) {
    let over = std::mem::take(&mut *lock(&OVER));
    over.into_iter().for_each(|view| view.release(py));
}

// SAFETY: the exporter keeps the memory where it is until the loan is over. Whoever changes the bytes meanwhile, changes what is
// written, as with any other way to write them.
unsafe impl IoBuf for Lent {
    fn stable_ptr(&self) -> *const u8 {
        self.memory
    }

    fn bytes_init(&self) -> usize {
        self.len.min(MAX_TRANSFER)
    }
}

// SAFETY: as above; `writable` made sure that the exporter lets others write.
unsafe impl IoBufMut for Lent {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.memory
    }

    fn bytes_total(&self) -> usize {
        self.len.min(MAX_TRANSFER)
    }

    unsafe fn set_init(&mut self, _len: usize) {}
}

/// What a write takes its bytes from.
pub(crate) enum Source {
    /// A `bytes` object, which never changes.
    Bytes {
        /// The object.
        object: Py<PyBytes>,
        /// Its bytes.
        memory: *const u8,
        /// How many there are.
        len: usize,
    },
    /// Another object's memory.
    Lent(Lent),
}

// SAFETY: `bytes` never change, and the reference keeps them.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

impl Source {
    /// Takes the bytes of any object with the buffer protocol.
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::from_bytes(bytes));
        }
        match Lent::new(object) {
            Ok(lent) => Ok(Self::Lent(lent)),
            Err(_) => Err(not_bytes(object)),
        }
    }

    /// Takes the bytes of a `bytes` object.
    pub(crate) fn from_bytes(bytes: &Bound<'_, PyBytes>) -> Self {
        let content = bytes.as_bytes();
        Self::Bytes { memory: content.as_ptr(), len: content.len(), object: bytes.clone().unbind() }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes { len, .. } => *len,
            Self::Lent(lent) => lent.len(),
        }
    }

    /// Copies them.
    pub(crate) fn copy_to(&self, to: &mut caio_core::AlignedBuf) {
        // SAFETY: the memory holds so many bytes for as long as this value lives.
        to.extend_from_slice(unsafe { std::slice::from_raw_parts(self.stable_ptr(), self.bytes_init()) });
    }

    /// Gives them back now, to the object that owns them.
    pub(crate) fn end(self, py: Python<'_>) {
        match self {
            Self::Bytes { object, .. } => drop(object),
            Self::Lent(lent) => lent.end(py),
        }
    }
}

/// The error of a payload that has no bytes.
pub(crate) fn not_bytes(object: &Bound<'_, PyAny>) -> PyErr {
    let kind = object.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    PyValueError::new_err(format!("payload_bytes must be bytes or another object with a contiguous buffer, not {kind}"))
}

// SAFETY: the object keeps its memory where it is, as `bytes` do, or as `Lent` says.
unsafe impl IoBuf for Source {
    fn stable_ptr(&self) -> *const u8 {
        match self {
            Self::Bytes { memory, .. } => *memory,
            Self::Lent(lent) => lent.stable_ptr(),
        }
    }

    fn bytes_init(&self) -> usize {
        self.len().min(MAX_TRANSFER)
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lent({} bytes)", self.len)
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} bytes)", self.len())
    }
}
