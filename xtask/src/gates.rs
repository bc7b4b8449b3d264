//! The cost gates: what an operation of each route costs in instructions and system calls, against what was recorded.
//!
//! A count is the difference between two runs of the program `steady`, divided by the operations that one has more: what
//! starting and ending take cancels out. Some counts depend on timing, on whether an operation has ended before its future
//! goes to sleep: what is too high is counted anew a few times, and the least stands.

use std::fs;
use std::time::Duration;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::only_flag;
use crate::report::{Report, Row};
use crate::run::{Result, call, cargo, program, root, run, target_dir};

/// Where the costs are recorded, and what the figures mean.
const COSTS: &str = "xtask/costs.toml";
/// What is counted, and the decimals that are shown of it.
const COUNTED: [(&str, usize); 3] = [("instructions", 0), ("calls", 2), ("waits", 2)];
/// How often a count that is too high is taken in all.
const TRIES: usize = 5;
/// The longest that one count may take.
const COUNT_LIMIT: Duration = Duration::from_secs(120);

/// What was counted of a run, or of an operation, each as [`COUNTED`] names it.
type Counts = [f64; 3];

/// What one operation of a route may cost.
struct Cost {
    /// What `steady` calls the route.
    route: String,
    /// By how many operations the runs differ that are compared.
    operations: u32,
    /// The most of each count.
    ceilings: Counts,
}

/// Counts, and compares with the ceilings or records.
pub(crate) fn gates(arguments: &[String]) -> Result {
    if only_flag(arguments, "--record")? { record() } else { compare()?.conclude() }
}

/// Compares every route with its ceilings.
pub(crate) fn compare() -> Result<Report> {
    build()?;
    let row = |cost: Cost| Row::timed(&cost.route, || least(&cost));
    Ok(Report(costs(&document()?)?.into_iter().map(row).collect()))
}

/// The least of some counts beside its ceilings; an error if that is too much.
fn least(cost: &Cost) -> Result<String> {
    let mut least = count(cost)?;
    for _ in 1..TRIES {
        if beside(&least, cost).is_ok() {
            break;
        }
        let again = count(cost)?;
        least = [0, 1, 2].map(|which| least[which].min(again[which]));
    }
    beside(&least, cost)
}

/// Writes what is counted now into the file of costs.
fn record() -> Result {
    build()?;
    let mut document = document()?;
    for cost in costs(&document)? {
        match (0..TRIES).map(|_| count(&cost)).collect::<Result<Vec<_>>>() {
            Err(error) => println!("{} stays as it is: {error}", cost.route),
            Ok(counts) => {
                let median = |which: usize| {
                    let mut sorted: Vec<_> = counts.iter().map(|counts| counts[which]).collect();
                    sorted.sort_by(f64::total_cmp);
                    sorted[TRIES / 2]
                };
                let (Ok(told) | Err(told)) = beside(&[0, 1, 2].map(median), &cost);
                println!("{}: {told}", cost.route);
                document[&cost.route]["instructions"] = value(median(0).round() as i64);
                document[&cost.route]["calls"] = value((median(1) * 100.0).round() / 100.0);
            }
        }
    }
    fs::write(root().join(COSTS), document.to_string()).map_err(|error| format!("{COSTS}: {error}"))
}

/// The file of costs.
fn document() -> Result<DocumentMut> {
    let text = fs::read_to_string(root().join(COSTS)).map_err(|error| format!("{COSTS}: {error}"))?;
    text.parse().map_err(|error| format!("{COSTS}: {error}"))
}

/// All that is recorded in `document`.
fn costs(document: &DocumentMut) -> Result<Vec<Cost>> {
    let number = |item: &Item| item.as_float().or(item.as_integer().map(|number| number as f64));
    let allowance = number(&document["allowance"]).unwrap_or(1.0);
    let cost = |(route, table): (&str, &Table)| {
        let figure = |key| table.get(key).and_then(number).ok_or_else(|| format!("{COSTS}: {route} has no {key}"));
        Ok(Cost {
            route: route.to_owned(),
            operations: figure("operations")? as u32,
            ceilings: [figure("instructions")? * allowance, figure("calls")? * allowance, figure("max-waits")?],
        })
    };
    document.iter().filter_map(|(route, item)| Some((route, item.as_table()?))).map(cost).collect()
}

/// Builds the program that is measured.
fn build() -> Result {
    let mut command = cargo("build --release --manifest-path bench/Cargo.toml --bin steady --no-default-features");
    command.args(["--features", "caio", "--locked", "--target-dir"]).arg(target_dir().join("gates"));
    call(command.env("CARGO_PROFILE_RELEASE_DEBUG", "0"))
}

/// What an operation costs, as far as this one count tells. An error that starts with `SKIP: ` says why it cannot be
/// counted here.
fn count(cost: &Cost) -> Result<Counts> {
    let few = total(cost, cost.operations / 4)?;
    let many = total(cost, cost.operations / 4 + cost.operations)?;
    let counts = [0, 1, 2].map(|which| (many[which] - few[which]).max(0.0) / f64::from(cost.operations));
    // A count that failed must not pass for a low one. Calls that serve many operations may be as many in both runs.
    if counts[0] < 1.0 || many[1] == 0.0 {
        return Err(format!("operations seem to cost nothing: {counts:?}"));
    }
    Ok(counts)
}

/// What a whole run costs.
fn total(cost: &Cost, operations: u32) -> Result<Counts> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("SKIP: the costs were recorded on Linux on x86-64".to_owned());
    }
    let home = target_dir().join("gates");
    let mut command = program("sh");
    command.arg("xtask/count.sh").arg(home.join("release/steady")).arg(&cost.route);
    let done = run(command.arg(operations.to_string()).arg(home.join("data")), COUNT_LIMIT)?;
    let figures: Vec<f64> = done.output.split_whitespace().map_while(|word| word.parse().ok()).collect();
    Counts::try_from(figures).map_err(|_| done.output)
}

/// The counts beside their ceilings, as an error if one exceeds its own.
fn beside(counts: &Counts, cost: &Cost) -> Result<String> {
    let each = counts.iter().zip(cost.ceilings).zip(COUNTED).map(|((count, ceiling), (name, decimals))| {
        let relation = if *count > ceiling { "EXCEEDS" } else { "of" };
        format!("{count:.decimals$} {relation} {ceiling:.decimals$} {name}")
    });
    let text = each.collect::<Vec<_>>().join(", ");
    if text.contains("EXCEEDS") { Err(text) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_cost_is_whole_and_bounds_its_counts() {
        let costs = costs(&document().unwrap()).unwrap();
        let cost = Cost { ceilings: [1100.0, 1.1, 0.5], ..costs.into_iter().next().unwrap() };
        assert!(beside(&[1100.0, 1.1, 0.5], &cost).is_ok());
        let told = "1101 EXCEEDS 1100 instructions, 1.00 of 1.10 calls, 0.50 of 0.50 waits";
        assert_eq!(beside(&[1101.0, 1.0, 0.5], &cost), Err(told.to_owned()));
    }
}
