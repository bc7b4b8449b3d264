//! `EINTR`: the one place where a call that a signal interrupted is made again.

use std::io;
use std::time::{Duration, Instant};

use libc::c_long;

/// What the kernel calls `struct __kernel_old_timespec`: two longs, whatever the C library's
/// `time_t` is.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct KernelTimespec {
    /// Whole seconds.
    tv_sec: c_long,
    /// The rest, in nanoseconds.
    tv_nsec: c_long,
}

impl From<Duration> for KernelTimespec {
    fn from(duration: Duration) -> Self {
        Self {
            tv_sec: c_long::try_from(duration.as_secs()).unwrap_or(c_long::MAX),
            // Below 10^9, so it fits 32 bits.
            tv_nsec: duration.subsec_nanos() as c_long,
        }
    }
}

/// Makes `call` until no signal interrupts it; a negative return value is an error in `errno`.
#[inline]
pub(crate) fn retry(mut call: impl FnMut() -> c_long) -> io::Result<usize> {
    loop {
        if let Some(value) = uninterrupted(call())? {
            return Ok(value);
        }
    }
}

/// Like [`retry`] for a call that waits: `call` is given what is left of `timeout` (`None` is no
/// limit), so that signals do not stretch the wait.
pub(crate) fn retry_timeout(
    timeout: Option<Duration>,
    mut call: impl FnMut(Option<KernelTimespec>) -> c_long,
) -> io::Result<usize> {
    // A zero timeout polls and never needs the clock; a deadline beyond the clock's end is none.
    let deadline = timeout.filter(|timeout| !timeout.is_zero()).and_then(|timeout| Instant::now().checked_add(timeout));
    let mut left = timeout;
    loop {
        if let Some(value) = uninterrupted(call(left.map(KernelTimespec::from)))? {
            return Ok(value);
        }
        if let Some(deadline) = deadline {
            left = Some(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// What a call returned; `None` if a signal interrupted it.
#[inline]
fn uninterrupted(ret: c_long) -> io::Result<Option<usize>> {
    if let Ok(value) = usize::try_from(ret) {
        return Ok(Some(value));
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(None),
        _ => Err(error),
    }
}
