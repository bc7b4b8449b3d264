//! What threads use of a processor.

use std::fs;
use std::time::Duration;

/// What the calling thread has used of a processor.
///
/// # Panics
/// If the system does not tell.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to a local.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What the threads of this process with this name have used of a processor, in ticks of 10 ms.
///
/// # Panics
/// If the system does not tell.
#[must_use]
pub fn cpu_ticks(thread: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("tasks").flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let named = stats.filter(|stat| stat.contains(&format!("({thread})")));
    // `proc_pid_stat(5)`: what follows the name begins with the third field; the times are the 14th and the 15th.
    let times = named.map(|stat| {
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        fields.map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>()
    });
    times.sum()
}
