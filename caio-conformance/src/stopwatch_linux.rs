//! Measures a call by what it costs its caller, on Linux.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

thread_local! {
    /// What the kernel tells of this thread's turns: `/proc/thread-self/schedstat`.
    static TURNS: OnceCell<Option<File>> = const { OnceCell::new() };
}

/// Measures the time of a call in this thread.
///
/// While others have the processor that the thread could use, the call is not to blame: that time does not count. What the call
/// itself waits for counts.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    /// When the call began.
    begun: Instant,
    /// How long the thread had waited for a processor then.
    waited: Duration,
}

impl Stopwatch {
    /// A call begins.
    pub(crate) fn start() -> Self {
        Self { waited: waited(), begun: Instant::now() }
    }

    /// How long it took.
    pub(crate) fn elapsed(&self) -> Duration {
        let time = self.begun.elapsed();
        // The thread's waiting is told by a system call: without need it is not asked for again.
        if time < Duration::from_millis(1) { time } else { time.saturating_sub(waited().saturating_sub(self.waited)) }
    }
}

/// How long this thread has waited for a processor; nothing where the kernel does not tell.
fn waited() -> Duration {
    TURNS.with(|file| {
        let Some(file) = file.get_or_init(|| File::open("/proc/thread-self/schedstat").ok()) else {
            return Duration::ZERO;
        };
        let mut text = [0; 64];
        let read = file.read_at(&mut text, 0).unwrap_or(0);
        // Nanoseconds on a processor, nanoseconds of waiting for one, turns.
        let waited = std::str::from_utf8(&text[..read]).ok().and_then(|text| text.split(' ').nth(1));
        Duration::from_nanos(waited.and_then(|waited| waited.parse().ok()).unwrap_or(0))
    })
}
