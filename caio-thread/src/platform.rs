//! The one place that chooses what a platform offers.

use crate::carrier::Carrier;
use crate::{Mailbox, PoolSettings};
use caio_core::{Attempt, Attempted, Completer, Drive};
use std::io;

#[cfg(target_os = "linux")]
use crate::linux as native;
#[cfg(not(target_os = "linux"))]
use crate::portable as native;

#[cfg(unix)]
pub(crate) use native::Bell;

/// Who makes a pool's system calls.
pub(crate) fn carrier(settings: &PoolSettings) -> Box<dyn Carrier> {
    if settings.portable { crate::portable::carrier() } else { native::carrier() }
}

/// Finishes an operation in its caller's thread, if that takes no longer than copying 64 KiB; takes no lock and allocates nothing.
///
/// On Linux it reads what the page cache holds, and writes where the file system takes a write without waiting (`preadv2(2)` and
/// `pwritev2(2)` with `RWF_NOWAIT`, Linux 4.14; XFS takes such writes, ext4 does not); a read of tmpfs, which has no disk, is a plain
/// call. It leaves alone what is longer, files opened with `O_DIRECT`, writes that wait for the disk whatever their flags say (`O_DSYNC`,
/// `chattr +S`, a mount with `sync`), and files on which it was repeatedly of no use, as [`Hints`](caio_core::Hints) tell. Elsewhere it
/// finishes nothing.
///
/// ```
/// use caio_core::{Attempt, Attempted};
/// fn in_a_backend(attempt: Attempt<'_>) -> Attempted {
///     caio_thread::attempt(attempt)
/// }
/// ```
pub fn attempt(attempt: Attempt<'_>) -> Attempted {
    native::attempt(attempt)
}

/// Finishes nothing.
pub(crate) fn miss(attempt: Attempt<'_>) -> Attempted {
    attempt.missed()
}

/// A driver, and the mailbox that it empties.
#[cfg(unix)]
pub(crate) fn driver(completer: &Completer) -> io::Result<Option<(Box<dyn Drive>, Mailbox)>> {
    let (driver, mailbox) = crate::driver::ThreadDriver::new(completer)?;
    Ok(Some((Box::new(driver), mailbox)))
}

/// There is no descriptor to poll here.
#[cfg(not(unix))]
pub(crate) fn driver(_completer: &Completer) -> io::Result<Option<(Box<dyn Drive>, Mailbox)>> {
    Ok(None)
}
