//! This build beside another commit's: both programs take turns, and each workload has the ratio of what they took.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::measure::median;
use crate::options::Options;
use crate::plan::Workload;

/// By how much a workload may have become slower: as much as two builds of the same code differ.
const ALLOWANCE: f64 = 1.03;
/// Length of a round, unless it was given.
const ROUND_MS: u64 = 100;

/// Runs `before` and this program in turn, and prints the ratios; an error if a workload has become slower.
pub fn compare(options: &Options, before: &Path) -> Result<(), Box<dyn Error>> {
    let after = std::env::current_exe()?;
    println!("| workload | after / before | middle half | rows, each after / before |\n|---|---:|---:|---|");
    let mut slower = Vec::new();
    for workload in &options.workloads {
        let mut ratios = BTreeMap::<String, Vec<f64>>::new();
        for round in 0..options.rounds {
            // The one that comes first finds the machine as others left it: each is that in half of the rounds.
            let (first, second) = if round % 2 == 0 { (before, after.as_path()) } else { (after.as_path(), before) };
            let (first, second) = (measure(first, workload, options)?, measure(second, workload, options)?);
            let (old, new) = if round % 2 == 0 { (first, second) } else { (second, first) };
            for (row, time) in new {
                ratios.entry(row.clone()).or_default().extend(old.get(&row).map(|old| time / old));
            }
        }
        ratios.retain(|_, ratios| !ratios.is_empty());
        let mut all = sorted(ratios.values().flatten().copied().collect());
        if all.is_empty() {
            println!("| {} | nothing to compare | | |", workload.name);
            continue;
        }
        let ratio = median(&all);
        let verdict = if ratio > ALLOWANCE { " **slower**" } else { "" };
        slower.extend((ratio > ALLOWANCE).then_some(workload.name));
        let rows = ratios.into_iter().map(|(row, ratios)| format!("{row} {:.2}", median(&sorted(ratios))));
        let rows = rows.collect::<Vec<_>>().join(", ");
        let quarter = all.len() / 4;
        all = all[quarter..all.len() - quarter].to_vec();
        println!("| {} | {ratio:.3}{verdict} | {:.2} to {:.2} | {rows} |", workload.name, all[0], all[all.len() - 1]);
    }
    if slower.is_empty() { Ok(()) } else { Err(format!("slower than before: {}", slower.join(", ")).into()) }
}

/// One round of each row in a process of its own: microseconds an operation.
fn measure(program: &Path, workload: &Workload, options: &Options) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let json = options.dir.join("before.json");
    let peers: Vec<_> = options.peers.iter().map(|peer| peer.id).filter(|id| id.starts_with("caio")).collect();
    let mut command = Command::new(program);
    command.args(["--only", workload.name, "--peers", &peers.join(","), "--rounds", "1", "--round-ms"]);
    command.arg(options.round_ms.unwrap_or(ROUND_MS).to_string()).arg("--dir").arg(&options.dir);
    let status = command.arg("--json").arg(&json).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !status.success() {
        // A workload or a row that the other commit does not have.
        return Ok(BTreeMap::new());
    }
    let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    let rows = report["workloads"][0]["rows"].as_array().into_iter().flatten();
    let figures = rows.filter_map(|row| Some((row["id"].as_str()?.to_owned(), row["us_per_op"].as_f64()?)));
    Ok(figures.collect())
}

/// The values in order.
fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
