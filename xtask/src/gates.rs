//! The cost gates: what an operation of each route costs in instructions and system calls, against what was recorded.
//!
//! A count is the difference between two runs of the program `steady`, divided by the operations that one has more: what
//! starting and ending take cancels out. Some counts depend on timing, on whether an operation has ended before its future
//! goes to sleep: what is too high is counted anew a few times, and the least stands.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ceilings::{ALLOWANCE, COSTS, Cost, recorded};
use crate::only_flag;
use crate::report::{Report, Row, Verdict};
use crate::run::{Echo, Result, call, cargo, root, run, target_dir};

/// How often a count that is too high is taken in all.
const TRIES: usize = 5;
/// Operations that tell whether a route can be had.
const PROBE: u32 = 32;
/// The longest that one run may take.
const RUN_LIMIT: Duration = Duration::from_secs(60);
/// System calls that put a thread to sleep, or wake one: reads and writes of files have other names.
const WAITS: [&str; 6] = ["futex", "poll", "ppoll", "read", "sched_yield", "write"];
/// What the program itself does between operations.
const PAUSE: [&str; 2] = ["clock_nanosleep", "restart_syscall"];

/// Counts, and compares with the ceilings or records.
pub(crate) fn gates(arguments: &[String]) -> Result {
    if only_flag(arguments, "--record")? { record() } else { compare()?.conclude() }
}

/// The gates as one step of CI.
pub(crate) fn step(name: &'static str) -> Row {
    let started = Instant::now();
    let report = match compare() {
        Ok(report) => report,
        Err(error) => return Row::plain(name, started.elapsed(), Err(error)),
    };
    report.sum_up(name, started.elapsed())
}

/// Compares every route with its ceilings.
fn compare() -> Result<Report> {
    let mut report = Report::default();
    let lab = match Lab::set_up()? {
        Ok(lab) => lab,
        Err(reason) => {
            report.push(skipped("gates", Duration::ZERO, reason));
            return Ok(report);
        }
    };
    for cost in COSTS {
        let started = Instant::now();
        let row = match lab.probe(cost.route)? {
            Some(reason) => skipped(cost.route, started.elapsed(), reason),
            None => {
                let mut counted = lab.count(cost)?;
                for _ in 1..TRIES {
                    if !counted.excess(cost).is_empty() {
                        counted = counted.with(lab.count(cost)?, f64::min);
                    }
                }
                let verdict = if counted.excess(cost).is_empty() { Verdict::Pass } else { Verdict::Fail };
                let note = counted.beside(cost);
                Row { name: cost.route.to_owned(), verdict, tests: 0, elapsed: started.elapsed(), note }
            }
        };
        row.announce(None);
        report.push(row);
    }
    println!(
        "\nAn operation's instructions, system calls that do its work, and those that sleep or wake, each of its ceiling:"
    );
    COSTS.iter().for_each(|cost| println!("  {:15}  {}", cost.route, cost.what));
    Ok(report)
}

/// Writes what is counted now into the table of costs.
fn record() -> Result {
    let lab = Lab::set_up()??;
    let path = root().join("xtask/src/ceilings.rs");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = fs::read_to_string(&path).map_err(failed)?;
    for cost in COSTS {
        if let Some(reason) = lab.probe(cost.route)? {
            println!("{} stays as it is: {reason}", cost.route);
            continue;
        }
        let counts = (0..TRIES).map(|_| lab.count(cost)).collect::<Result<Vec<_>>>()?;
        let median = |property: fn(&Counted) -> f64| {
            let mut sorted: Vec<_> = counts.iter().map(property).collect();
            sorted.sort_by(f64::total_cmp);
            sorted[TRIES / 2]
        };
        let counted = Counted {
            instructions: median(|counted| counted.instructions).round(),
            calls: (median(|counted| counted.calls) * 100.0).round() / 100.0,
            waits: median(|counted| counted.waits),
        };
        println!("{:15}  {}", cost.route, counted.beside(cost));
        text = recorded(&text, cost.route, counted.instructions, counted.calls);
    }
    fs::write(&path, text).map_err(failed)?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

/// A row that could not run.
fn skipped(name: &str, elapsed: Duration, note: String) -> Row {
    Row { name: name.to_owned(), verdict: Verdict::Skip, tests: 0, elapsed, note }
}

/// The program that is measured, and where its file is.
struct Lab {
    /// The program.
    steady: PathBuf,
    /// The directory of its file.
    dir: PathBuf,
}

impl Lab {
    /// Builds the program. The inner error is why nothing can be counted here.
    fn set_up() -> Result<Result<Self>> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Ok(Err("the costs were recorded on Linux on x86-64".to_owned()));
        }
        for (tool, needed) in [("valgrind", "--tool=callgrind"), ("strace", "-c")] {
            let tried = run(
                Command::new(tool).args([needed, "true"]).current_dir(std::env::temp_dir()),
                Echo::Quiet,
                RUN_LIMIT,
            );
            match tried {
                Ok(done) if done.success => {}
                Ok(done) => {
                    return Ok(Err(format!("{tool} does not work here: {}", done.stderr.lines().last().unwrap_or(""))));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        let home = target_dir().join("gates");
        let mut command = cargo();
        command.args(["build", "--release", "--manifest-path", "bench/Cargo.toml", "--bin", "steady"]);
        command.args(["--no-default-features", "--features", "caio", "--locked", "--target-dir"]).arg(&home);
        call(command.env("CARGO_PROFILE_RELEASE_DEBUG", "0"))?;
        Ok(Ok(Self { steady: home.join("release/steady"), dir: home.join("data") }))
    }

    /// Carries out some operations: the reason why the route cannot be had here, by itself or with somebody counting, if so.
    fn probe(&self, route: &str) -> Result<Option<String>> {
        for (mut command, place) in
            [(Command::new(&self.steady), "here"), (self.valgrind(), "in valgrind"), (self.strace(), "in strace")]
        {
            let told = self.steadily(&mut command, route, PROBE)?;
            if let Some(reason) = told.lines().find_map(|line| line.strip_prefix("SKIP: ")) {
                return Ok(Some(format!("not to be had {place}: {reason}")));
            }
        }
        Ok(None)
    }

    /// The program, its instructions counted.
    fn valgrind(&self) -> Command {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&self.steady);
        command
    }

    /// The program, its system calls counted.
    fn strace(&self) -> Command {
        let mut command = Command::new("strace");
        command.args(["-f", "-c"]).arg(&self.steady);
        command
    }

    /// What an operation costs, as far as this one count tells.
    fn count(&self, cost: &Cost) -> Result<Counted> {
        let few = self.total(cost.route, cost.operations / 4)?;
        let many = self.total(cost.route, cost.operations / 4 + cost.operations)?;
        let counted = many.with(few, |many, few| (many - few).max(0.0) / f64::from(cost.operations));
        // A count that failed must not pass for a low one. Calls that serve many operations may be as many in both runs.
        if counted.instructions < 1.0 || many.calls == 0.0 {
            return Err(format!("{}: operations seem to cost nothing: {counted:?}", cost.route));
        }
        Ok(counted)
    }

    /// What a whole run costs.
    fn total(&self, route: &str, operations: u32) -> Result<Counted> {
        let told = self.steadily(&mut self.valgrind(), route, operations)?;
        let instructions = collected(&told).ok_or_else(|| format!("{route}: valgrind has not told what it counted"))?;
        let told = self.steadily(&mut self.strace(), route, operations)?;
        let (mut calls, mut waits) = (0, 0);
        for (name, count) in system_calls(&told).into_iter().filter(|(name, _)| !PAUSE.contains(name)) {
            *(if WAITS.contains(&name) { &mut waits } else { &mut calls }) += count;
        }
        Ok(Counted { instructions: instructions as f64, calls: calls as f64, waits: waits as f64 })
    }

    /// Runs `command`, which ends with the program; what it printed, and what the one who counts has.
    fn steadily(&self, command: &mut Command, route: &str, operations: u32) -> Result<String> {
        command.arg(route).arg(operations.to_string()).arg(&self.dir);
        let done = run(command, Echo::Quiet, RUN_LIMIT)?;
        let told = format!("{}{}", done.stdout, done.stderr);
        let what = format!("{} of {route}", command.get_program().to_string_lossy());
        done.or_fail(&what).map_err(|error| format!("{error}\n{told}"))?;
        Ok(told)
    }
}

/// What was counted of a run, or of an operation.
#[derive(Clone, Copy, Debug)]
struct Counted {
    /// Instructions outside the kernel.
    instructions: f64,
    /// System calls that do the work.
    calls: f64,
    /// System calls that put a thread to sleep or wake one.
    waits: f64,
}

impl Counted {
    /// Both together, each count for itself.
    fn with(self, other: Self, join: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            instructions: join(self.instructions, other.instructions),
            calls: join(self.calls, other.calls),
            waits: join(self.waits, other.waits),
        }
    }

    /// Each count by name, with its ceiling.
    fn ceilings(&self, cost: &Cost) -> [(&'static str, f64, f64); 3] {
        [
            ("instructions", self.instructions, cost.instructions * ALLOWANCE),
            ("calls", self.calls, cost.calls * ALLOWANCE),
            ("waits", self.waits, cost.most_waits),
        ]
    }

    /// Which counts exceed their ceilings.
    fn excess(&self, cost: &Cost) -> Vec<&'static str> {
        let exceeding = self.ceilings(cost).into_iter().filter(|(_, counted, ceiling)| counted > ceiling);
        exceeding.map(|(name, ..)| name).collect()
    }

    /// The counts beside their ceilings.
    fn beside(&self, cost: &Cost) -> String {
        let each = self.ceilings(cost).map(|(name, counted, ceiling)| {
            let relation = if counted > ceiling { "EXCEEDS" } else { "of" };
            let decimals = if name == "instructions" { 0 } else { 2 };
            format!("{counted:.decimals$} {relation} {ceiling:.decimals$} {name}")
        });
        each.join(", ")
    }
}

/// How many instructions callgrind says it has seen.
fn collected(told: &str) -> Option<u64> {
    let (_, rest) = told.split_once("Collected : ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The system calls of strace's summary by name: its lines are `% time, seconds, usecs/call, calls, [errors], syscall`.
fn system_calls(told: &str) -> BTreeMap<&str, u64> {
    let mut calls = BTreeMap::new();
    for line in told.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (5 | 6, Some(Ok(count))) = (fields.len(), fields.get(3).map(|count| count.parse())) else {
            continue;
        };
        let name = fields[fields.len() - 1];
        if name != "total" {
            calls.insert(name, count);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost { route: "x", operations: 1, instructions: 1000.0, calls: 1.0, most_waits: 0.5, what: "" };

    #[test]
    fn what_exceeds_its_ceiling_is_named() {
        let counted = Counted { instructions: 1099.0, calls: 1.09, waits: 0.5 };
        assert!(counted.excess(&COST).is_empty());
        assert_eq!(counted.beside(&COST), "1099 of 1100 instructions, 1.09 of 1.10 calls, 0.50 of 0.50 waits");
        assert_eq!(Counted { instructions: 1101.0, ..counted }.excess(&COST), ["instructions"]);
        let dearer = Counted { calls: 2.0, waits: 0.6, ..counted };
        assert_eq!(dearer.excess(&COST), ["calls", "waits"]);
        assert!(dearer.beside(&COST).ends_with("2.00 EXCEEDS 1.10 calls, 0.60 EXCEEDS 0.50 waits"));
    }

    #[test]
    fn counters_are_understood() {
        assert_eq!(collected("==7== \n==7== Collected : 5800842\n==7== "), Some(5_800_842));
        assert_eq!(collected("==7== killed"), None);
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n \
            66.66    0.000100           1       100         3 futex\n \
            33.33    0.000050           1        50           pwrite64\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.000150           1       150         3 total\n";
        assert_eq!(system_calls(summary), BTreeMap::from([("futex", 100), ("pwrite64", 50)]));
    }
}
