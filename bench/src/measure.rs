//! Interleaved rounds, and what is taken from them: medians, spread, CPU time, voluntary switches.

use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use crate::plan::{Act, Workload};

/// A peer that is set up for a workload and can carry out rounds of it.
pub trait Runner {
    /// Carries out a few operations untimed and checks every byte.
    fn verify(&mut self) -> io::Result<()>;
    /// Carries out operations for about `length`, after a short untimed start.
    fn round(&mut self, length: Duration) -> io::Result<Sample>;
}

/// CPU time and voluntary switches.
#[derive(Clone, Copy, Default, Debug)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Times that a thread went to sleep.
    pub switches: u64,
}

impl Usage {
    /// What this process has used so far, all threads together, see getrusage(2).
    pub fn now() -> io::Result<Self> {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: room for one rusage.
        if unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the kernel filled it (and it was zeroed before).
        let usage = unsafe { usage.assume_init() };
        let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
        Ok(Self { cpu, switches: u64::try_from(usage.ru_nvcsw).unwrap_or(0) })
    }

    /// What was used since `before`.
    pub fn since(self, before: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(before.cpu), switches: self.switches.saturating_sub(before.switches) }
    }
}

/// What one round came to.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Operations finished.
    pub ops: u64,
    /// How long they took.
    pub wall: Duration,
    /// What they used.
    pub usage: Usage,
}

/// What all the rounds of a peer came to. Times are in microseconds an operation.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Median wall time.
    pub time_us: f64,
    /// Quickest and slowest round.
    pub range_us: (f64, f64),
    /// Median CPU time.
    pub cpu_us: f64,
    /// Median voluntary switches an operation.
    pub switches: f64,
    /// Operations finished in all rounds.
    pub ops: u64,
}

impl Summary {
    /// Sums up at least one round.
    pub fn of(samples: &[Sample]) -> Self {
        let sorted = |value: fn(&Sample) -> f64| {
            let mut values: Vec<f64> = samples.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let time = sorted(|s| s.wall.as_secs_f64() * 1e6 / s.ops as f64);
        Self {
            time_us: median(&time),
            range_us: (time[0], time[time.len() - 1]),
            cpu_us: median(&sorted(|s| s.usage.cpu.as_secs_f64() * 1e6 / s.ops as f64)),
            switches: median(&sorted(|s| s.usage.switches as f64 / s.ops as f64)),
            ops: samples.iter().map(|s| s.ops).sum(),
        }
    }
}

/// Carries out the rounds of all runners in turn: A B C, then B C A, and so on, so that a drift of
/// the machine meets all of them alike. A runner that fails once is left out from then on.
pub fn interleave(
    runners: &mut [io::Result<Box<dyn Runner>>],
    rounds: usize,
    length: Duration,
) -> Vec<Result<Summary, String>> {
    let mut samples = vec![Vec::new(); runners.len()];
    for round in 0..rounds {
        for turn in 0..runners.len() {
            let i = (turn + round) % runners.len();
            let Ok(runner) = &mut runners[i] else {
                continue;
            };
            let result = runner.round(length).and_then(|sample| match sample.ops {
                0 => Err(io::Error::other("finished no operation in a round")),
                _ => Ok(sample),
            });
            match result {
                Ok(sample) => samples[i].push(sample),
                Err(error) => runners[i] = Err(error),
            }
        }
    }
    let sum_up = |(runner, samples): (&io::Result<Box<dyn Runner>>, &Vec<Sample>)| match runner {
        Ok(_) => Ok(Summary::of(samples)),
        Err(error) => Err(error.to_string()),
    };
    runners.iter().zip(&samples).map(sum_up).collect()
}

/// Times the making of something, or that and taking it down again.
pub struct Maker<F> {
    /// Makes one.
    make: F,
    /// Whether taking it down is timed as well.
    cycle: bool,
}

impl<F: FnMut() -> io::Result<T> + 'static, T: 'static> Maker<F> {
    /// Times what a workload asks for.
    pub fn of(workload: &Workload, make: F) -> Box<dyn Runner> {
        Box::new(Self { make, cycle: workload.act == Act::Cycle })
    }
}

/// How many are made before they are taken down again.
const MAKER_BATCH: usize = 8;

impl<F: FnMut() -> io::Result<T>, T> Runner for Maker<F> {
    fn verify(&mut self) -> io::Result<()> {
        (self.make)().map(drop)
    }

    fn round(&mut self, length: Duration) -> io::Result<Sample> {
        let end = Instant::now() + length;
        let mut total = Sample { ops: 0, wall: Duration::ZERO, usage: Usage::default() };
        let mut made = Vec::with_capacity(MAKER_BATCH);
        while Instant::now() < end {
            let before = Usage::now()?;
            let start = Instant::now();
            for _ in 0..MAKER_BATCH {
                made.push((self.make)()?);
                if self.cycle {
                    made.clear();
                }
            }
            total.wall += start.elapsed();
            let used = Usage::now()?.since(before);
            total.usage.cpu += used.cpu;
            total.usage.switches += used.switches;
            total.ops += MAKER_BATCH as u64;
            made.clear();
        }
        Ok(total)
    }
}

/// The middle of sorted values.
pub fn median(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}

/// A timeval as a `Duration`.
fn duration(time: libc::timeval) -> Duration {
    Duration::from_micros((time.tv_sec * 1_000_000 + time.tv_usec).unsigned_abs())
}
