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
pub use native::attempt;

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

/// Finishes nothing in its caller's thread.
#[cfg_attr(target_os = "linux", allow(unreachable_pub))]
pub fn miss(attempt: Attempt<'_>) -> Attempted {
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
