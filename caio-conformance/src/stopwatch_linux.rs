//! Measures a call by what it costs its caller, on Linux.

use std::time::{Duration, Instant};

/// Measures the time of a call in this thread.
///
/// If the kernel takes the processor away meanwhile, because others want it, that is no fault of the call's: then only its
/// time on the processor counts. What the call waits for counts always.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    /// When the call began.
    begun: Instant,
    /// The thread's time on a processor then.
    on_processor: Duration,
    /// How often the kernel had taken the processor away from the thread.
    preempted: libc::c_long,
}

impl Stopwatch {
    /// A call begins.
    pub(crate) fn start() -> Self {
        Self { on_processor: on_processor(), preempted: preempted(), begun: Instant::now() }
    }

    /// How long it took.
    pub(crate) fn elapsed(&self) -> Duration {
        let time = self.begun.elapsed();
        if preempted() == self.preempted { time } else { on_processor().saturating_sub(self.on_processor) }
    }
}

/// This thread's time on a processor.
fn on_processor() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How often the kernel has taken the processor away from this thread.
fn preempted() -> libc::c_long {
    // SAFETY: all zero is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes to a local.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    usage.ru_nivcsw
}
