//! Errors for the person who reads them, each made in one place.

use crate::backend::BackendKind;
use crate::op::{MAX_BUFFERS, Op, OpClass};
use crate::{FileKind, SharedFd, platform};
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// `EINVAL`, the same number on every Unix.
const EINVAL: i32 = 22;
/// `ESPIPE`, the same number on every Unix.
const ESPIPE: i32 = 29;
/// `ECANCELED` of Linux.
const ECANCELED: i32 = 125;

/// The system's error number of an error, also where this library added an explanation to it.
///
/// `io::Error::raw_os_error` knows the number only of an error without an explanation.
///
/// ```
/// let error = std::io::Error::from_raw_os_error(22);
/// assert_eq!(caio_core::errno(&error), Some(22));
/// ```
#[must_use]
pub fn errno(error: &io::Error) -> Option<i32> {
    let explained = || error.get_ref().and_then(|inner| inner.downcast_ref::<Explained>()).map(|inner| inner.errno);
    error.raw_os_error().or_else(explained)
}

/// An error of the system with what is known about its cause.
#[derive(Debug)]
struct Explained {
    /// The system's number.
    errno: i32,
    /// What is known.
    text: String,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Explained {}

/// The name of an error number, or the number itself.
pub(crate) fn name(errno: i32) -> String {
    platform::errno_name(errno).map_or_else(|| format!("error {errno}"), str::to_owned)
}

/// Adds to a system's error what is known of its cause: so far, the alignment that `O_DIRECT`
/// needs.
pub(crate) fn explain(error: io::Error, transfers: bool, fd: &SharedFd) -> io::Error {
    if !transfers || error.raw_os_error() != Some(EINVAL) || !fd.is_direct() {
        return error;
    }
    let needs = match platform::dio_alignment(fd.file()) {
        Some((memory, offset)) => format!("memory aligned to {memory} bytes, and offset and length to {offset}"),
        None => "memory, offset and length aligned to the device's block size (often 512 or 4096 bytes)".to_owned(),
    };
    let text =
        format!("EINVAL: Invalid argument: this file was opened with O_DIRECT and needs {needs} (see AlignedBuf)");
    io::Error::new(ErrorKind::InvalidInput, Explained { errno: EINVAL, text })
}

/// Refuses an offset that no file has, and a position in a file that has none.
#[inline]
pub(crate) fn check_offset(op: &Op, fd: &SharedFd, class: OpClass) -> io::Result<()> {
    let Some(offset) = op.offset().filter(|offset| *offset != crate::NO_OFFSET) else {
        return Ok(());
    };
    if i64::try_from(offset).is_err() {
        let text =
            format!("the offset {offset} is beyond i64::MAX, the end of the largest file; u64::MAX means 'no offset'");
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    if class == OpClass::Stream && matches!(fd.kind(), FileKind::Pipe | FileKind::Socket) {
        return Err(if cfg!(unix) { io::Error::from_raw_os_error(ESPIPE) } else { ErrorKind::NotSeekable.into() });
    }
    Ok(())
}

/// The operation was cancelled.
pub(crate) fn cancelled() -> io::Error {
    if cfg!(target_os = "linux") {
        return io::Error::from_raw_os_error(ECANCELED);
    }
    io::Error::other("the operation was cancelled")
}

/// The operation's time was up.
pub(crate) fn timed_out(timeout: Duration) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("timed out after {timeout:?}"))
}

/// Why a context refuses to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unusable {
    /// It was closed.
    Closed,
    /// Its driver was dropped.
    DriverGone,
    /// It belongs to the parent process.
    Inherited,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the context was closed and takes no new operations",
            Self::DriverGone => {
                "the driver of this context was dropped, so nobody takes its completions; keep it for as long as the context"
            }
            Self::Inherited => "this context belongs to the parent process; make a new one after fork",
        })
    }
}

impl std::error::Error for Unusable {}

/// Whether an error says that the context was closed, or its driver dropped.
///
/// ```
/// # fn with(ctx: &caio_core::Context, fd: &caio_core::SharedFd) {
/// let result = futures::executor::block_on(async {
///     ctx.close().await;
///     ctx.fsync(fd).await
/// });
/// assert!(caio_core::is_closed(&result.unwrap_err()));
/// # }
/// ```
#[must_use]
pub fn is_closed(error: &io::Error) -> bool {
    matches!(unusable(error), Some(Unusable::Closed | Unusable::DriverGone))
}

/// Whether an error says that the context belongs to the parent process, because this one was
/// forked from it.
///
/// ```
/// let error = std::io::Error::other("something else");
/// assert!(!caio_core::is_inherited(&error));
/// ```
#[must_use]
pub fn is_inherited(error: &io::Error) -> bool {
    unusable(error) == Some(Unusable::Inherited)
}

/// What an error says of its context.
fn unusable(error: &io::Error) -> Option<Unusable> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Unusable>()).copied()
}

/// The context was closed.
pub(crate) fn closed() -> io::Error {
    io::Error::other(Unusable::Closed)
}

/// The driver of the context was dropped.
pub(crate) fn driver_gone() -> io::Error {
    io::Error::other(Unusable::DriverGone)
}

/// A backend has no driver on this system.
pub(crate) fn no_driver(kind: BackendKind) -> io::Error {
    io::Error::new(ErrorKind::Unsupported, format!("the {kind} backend has no driver on this system"))
}

/// The context belongs to the parent process.
pub(crate) fn inherited() -> io::Error {
    io::Error::other(Unusable::Inherited)
}

/// There is no memory for a buffer.
pub(crate) fn no_memory(bytes: usize) -> io::Error {
    io::Error::new(ErrorKind::OutOfMemory, format!("there is no memory for a buffer of {bytes} bytes"))
}

/// A vectored operation has too many buffers.
pub(crate) fn too_many_buffers(count: usize) -> io::Error {
    let text = format!("{count} buffers in one operation, the system takes at most {MAX_BUFFERS}");
    io::Error::new(ErrorKind::InvalidInput, Explained { errno: EINVAL, text })
}

/// A batch has too many operations.
pub(crate) fn too_many_operations(limit: usize) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        format!("a batch takes at most {limit} operations; submit it and start another"),
    )
}

/// Refuses a bound that cannot be.
pub(crate) fn check_max_requests(given: usize) -> io::Result<()> {
    let largest = crate::MAX_REQUESTS_LIMIT;
    if (1..=largest).contains(&given) {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidInput, format!("max_requests must be between 1 and {largest}, not {given}")))
}

/// Refuses a number of threads that cannot be.
pub(crate) fn check_pool_size(given: usize) -> io::Result<()> {
    let largest = crate::MAX_POOL_SIZE;
    if (1..=largest).contains(&given) {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidInput, format!("pool_size must be between 1 and {largest}, not {given}")))
}

/// A priority that cannot be.
pub(crate) fn bad_priority(level: u8) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        format!("a priority level must be between 0 (most urgent) and 7, not {level}"),
    )
}

/// A future was polled after it had given its result.
pub(crate) fn polled_again() -> io::Error {
    io::Error::other("operation polled after completion")
}
