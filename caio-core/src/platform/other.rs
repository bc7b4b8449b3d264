//! Where there are no signals that could be blocked.

/// Calls `start`.
pub(crate) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    start()
}
