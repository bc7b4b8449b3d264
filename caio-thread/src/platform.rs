//! The one place that chooses what a platform offers.

use crate::syscalls::Syscalls;
use crate::waits::Waits;
use crate::{Mailbox, PoolSettings};
use caio_core::{Attempt, Attempted, Completer, Drive};
use std::io;
use std::sync::Arc;

#[cfg(target_os = "linux")]
use crate::linux as native;
#[cfg(not(target_os = "linux"))]
use crate::portable as native;

#[cfg(unix)]
pub(crate) use native::Bell;

/// Who makes the system calls of a pool's workers.
pub(crate) fn syscalls(settings: &PoolSettings) -> Box<dyn Syscalls> {
    #[cfg(target_os = "linux")]
    if !settings.portable {
        return Box::new(native::Linux);
    }
    let _ = settings;
    Box::new(crate::portable::Portable)
}

/// Where a pool's operations wait that may wait for ever.
#[cfg(unix)]
pub(crate) fn waits(settings: &PoolSettings) -> Waits {
    #[cfg(target_os = "linux")]
    if !settings.portable {
        return Waits::new(Box::new(native::LinuxStreams));
    }
    let _ = settings;
    Waits::new(Box::new(crate::portable::PortableStreams))
}

/// See above.
#[cfg(not(unix))]
pub(crate) fn waits(_settings: &PoolSettings) -> Waits {
    Waits::default()
}

/// Finishes an operation in its caller's thread, if that takes no longer than copying 64 KiB; takes no lock and allocates nothing.
///
/// On Linux it reads what the page cache holds, and writes where the file system takes a write without waiting (`preadv2(2)` and
/// `pwritev2(2)` with `RWF_NOWAIT`, Linux 4.14; XFS takes such writes, ext4 does not); a read of tmpfs, which has no disk, is a plain
/// call. It leaves alone what is longer, writes that wait for the disk whatever their flags say (`O_DSYNC`, `chattr +S`, a mount with
/// `sync`), writes that a server might be asked about, and files on which it was repeatedly of no use, as
/// [`SharedFd`](caio_core::SharedFd) tells. Elsewhere it finishes nothing.
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

/// A driver, and the mailbox that it empties, where there is a descriptor to poll.
#[cfg(unix)]
pub(crate) fn driver(completer: &Completer) -> io::Result<Option<(Arc<dyn Drive>, Mailbox)>> {
    let (driver, mailbox) = crate::driver::ThreadDriver::new(completer)?;
    Ok(Some((Arc::new(driver), mailbox)))
}

/// See above.
#[cfg(not(unix))]
pub(crate) fn driver(_completer: &Completer) -> io::Result<Option<(Arc<dyn Drive>, Mailbox)>> {
    Ok(None)
}
