//! Compares ways to do file I/O from Rust side by side, as ratios of medians of interleaved rounds.

#![cfg_attr(
    not(all(
        feature = "raw-ring",
        feature = "tokio",
        feature = "blocking",
        feature = "tokio-uring",
        feature = "monoio",
        feature = "compio",
        feature = "glommio",
        feature = "uring-file",
        feature = "caio"
    )),
    allow(dead_code, reason = "a peer that is left out leaves parts of the harness unused")
)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

mod before;
mod buffer;
mod data;
mod footprint;
mod lane;
mod measure;
mod options;
mod peers;
mod plan;
mod report;
mod results;
mod svg;
mod targets;
mod task;

use crate::data::Data;
use crate::options::{HELP, Options};
use crate::peers::Shape;
use crate::plan::{CONTEXT, WORKLOADS, Workload};
use crate::report::{Row, Table};
use crate::task::Job;

/// Time for all rounds together, set-up and the rounds' untimed starts not counted.
const FULL_BUDGET: Duration = Duration::from_secs(850);
/// The same with `--quick`.
const QUICK_BUDGET: Duration = Duration::from_secs(135);
/// A shorter round says nothing.
const SHORTEST_MS: u64 = 20;
/// A longer round says nothing more.
const LONGEST_MS: u64 = 250;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("caio-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line asks for.
fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    if options.help {
        print!("{HELP}");
        return Ok(());
    }
    if options.list {
        list(&options);
        return Ok(());
    }
    if let Some(id) = &options.footprint {
        return Ok(footprint::measure_here(id, &options.dir)?);
    }
    let start = Instant::now();
    lane::quiet_panics();
    fs::create_dir_all(&options.dir)?;
    let file_system = data::file_system(&options.dir)?;
    if matches!(file_system.as_str(), "tmpfs" | "ramfs") {
        return Err(
            format!("{} is on {file_system}; name a directory on a disk with --dir", options.dir.display()).into()
        );
    }
    if let Some(program) = &options.before {
        return before::compare(&options, program);
    }
    let length = round_length(&options);
    let machine = machine(&options, &file_system, length);
    println!("{}", heading(&machine));
    let data = Arc::new(Data::make(&options.dir)?);
    let (mut tables, mut footprints, mut shown) = (Vec::new(), Vec::new(), String::new());
    let mut show = |text: String| {
        println!("{text}");
        shown.push_str(&(text + "\n"));
    };
    for workload in &options.workloads {
        eprintln!("[{:>4} s] {}", start.elapsed().as_secs(), workload.name);
        let table = measure_workload(workload, &options, &data, length)?;
        show(report::markdown(&table));
        tables.push(table);
        if workload.name == CONTEXT {
            footprints = footprint::measure_all(&options.dir);
            show(report::footprints_markdown(&footprints));
        }
    }
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&report::as_json(&tables, &footprints, &machine))?)?;
    }
    if let Some(path) = &options.svg {
        svg::draw(&tables, path)?;
    }
    if options.record {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(home.join("RESULTS.md"), results::markdown(&heading(&machine), &tables, &shown))?;
        svg::draw(&tables, &home.join("results.svg"))?;
    }
    eprintln!("[{:>4} s] done", start.elapsed().as_secs());
    Ok(())
}

/// Sets every peer up, verifies it, and runs its rounds in turn with the others'.
fn measure_workload(
    workload: &'static Workload,
    options: &Options,
    data: &Arc<Data>,
    length: Duration,
) -> Result<Table, Box<dyn Error>> {
    if workload.direct {
        data.evict()?;
    } else {
        data.warm()?;
    }
    let peers: Vec<_> = options.peers.iter().filter(|peer| (peer.applies)(workload)).collect();
    let mut runners: Vec<_> = peers
        .iter()
        .map(|peer| {
            let threads = if peer.shape == Shape::OneThread { 1 } else { workload.threads };
            let job = Arc::new(Job { workload, threads, data: data.clone() });
            let mut runner = (peer.build)(&job)?;
            runner.verify()?;
            Ok(runner)
        })
        .collect();
    let outcomes = measure::interleave(&mut runners, options.rounds, length);
    let rows = peers.iter().zip(outcomes).map(|(peer, outcome)| Row {
        id: peer.id,
        label: peer.label,
        kind: peer.kind,
        shape: peer.shape,
        outcome,
    });
    Ok(Table { workload, rows: rows.collect() })
}

/// The length of a round: what was asked for, or what the budget leaves.
fn round_length(options: &Options) -> Duration {
    let cells: usize = options
        .workloads
        .iter()
        .map(|workload| options.peers.iter().filter(|peer| (peer.applies)(workload)).count())
        .sum();
    let budget = if options.quick { QUICK_BUDGET } else { FULL_BUDGET };
    let share_ms = budget.as_millis() as u64 / (cells * options.rounds).max(1) as u64;
    Duration::from_millis(options.round_ms.unwrap_or(share_ms.clamp(SHORTEST_MS, LONGEST_MS)))
}

/// What the figures depend on.
fn machine(options: &Options, file_system: &str, length: Duration) -> Value {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    json!({
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "file_system": file_system,
        "fio": said("fio", "--version"),
        "caio_backend": peers::chosen_backend(),
        "rounds": options.rounds,
        "round_ms": length.as_millis() as u64,
        "peers_left_out": peers::left_out(),
        "peers_chosen": (options.peers.len() < peers::all().len())
            .then(|| options.peers.iter().map(|peer| peer.id).collect::<Vec<_>>()),
    })
}

/// The same in words.
fn heading(machine: &Value) -> String {
    let names = |key: &str| {
        let names: Vec<_> = machine[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let chosen = match machine["peers_chosen"] {
        Value::Null => String::new(),
        _ => format!("Only these peers were asked for, and \"best\" is among them: {}.\n", names("peers_chosen")),
    };
    format!(
        "Linux {}, {} cores, files on {}, {} rounds of {} ms each, interleaved. caio's backend: {}. fio: {}. Left out when built: {}.\n{chosen}",
        machine["kernel"].as_str().unwrap_or("?"),
        machine["cores"],
        machine["file_system"].as_str().unwrap_or("?"),
        machine["rounds"],
        machine["round_ms"],
        machine["caio_backend"].as_str().unwrap_or("caio is left out"),
        machine["fio"].as_str().unwrap_or("not installed"),
        names("peers_left_out"),
    )
}

/// Prints what can be named on the command line.
fn list(options: &Options) {
    println!("workloads:");
    for workload in WORKLOADS {
        println!("  {:16} {}", workload.name, workload.title);
    }
    println!("peers:");
    for peer in &options.peers {
        println!("  {:16} {}", peer.id, peer.label);
    }
    println!("left out when built: {}", peers::left_out().join(", "));
}
