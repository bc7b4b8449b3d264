//! Limits of the process.

use std::io;

/// What is limited.
#[derive(Clone, Copy, Debug)]
pub enum Resource {
    /// How many threads the user has.
    Threads,
    /// How many bytes of memory are locked.
    LockedMemory,
    /// How large a descriptor's number is.
    Descriptors,
}

/// Sets the soft limit, as far as the hard one lets it go, and gives what it was.
///
/// # Panics
/// If the system refuses.
#[allow(clippy::useless_conversion)]
pub fn limit(resource: Resource, to: u64) -> u64 {
    // The C libraries do not agree on the type of these numbers: what is no conversion here is one elsewhere.
    let number = match resource {
        Resource::Threads => libc::RLIMIT_NPROC,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
        Resource::Descriptors => libc::RLIMIT_NOFILE,
    };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to a local.
    let got = unsafe { libc::getrlimit(number, &raw mut limit) };
    assert_eq!(got, 0, "{resource:?}: {}", io::Error::last_os_error());
    let before = limit.rlim_cur;
    limit.rlim_cur = to.try_into().unwrap_or(limit.rlim_max).min(limit.rlim_max);
    // SAFETY: the call reads a local.
    let set = unsafe { libc::setrlimit(number, &raw const limit) };
    assert_eq!(set, 0, "{resource:?}: {}", io::Error::last_os_error());
    before.into()
}
