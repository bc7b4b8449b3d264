//! Tables and JSON: every figure as a ratio of medians of one interleaved run.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::footprint::Footprint;
use crate::measure::Summary;
use crate::peers::{Kind, Shape};
use crate::plan::Workload;
use crate::targets::{AUTOMATIC, Against, BEST_PEER, BEST_SINGLE, Bound, Property, TARGETS, Target};

/// One row of a table.
pub struct Row {
    /// The peer's name on the command line.
    pub id: &'static str,
    /// The peer's name in the tables.
    pub label: &'static str,
    /// What it stands for.
    pub kind: Kind,
    /// How it uses threads.
    pub shape: Shape,
    /// What its rounds came to, or why there are none.
    pub outcome: Result<Summary, String>,
}

/// One workload's rows.
pub struct Table {
    /// What was run.
    pub workload: &'static Workload,
    /// Who ran it.
    pub rows: Vec<Row>,
}

/// A target and what was reached.
pub struct Verdict {
    /// The target in words.
    pub wording: String,
    /// How it is worded.
    pub bound: Bound,
    /// The ratio reached; `None` where what it compares with has no figure.
    pub ratio: Option<f64>,
    /// Whether that is enough, to the two decimals that are shown.
    pub met: Option<bool>,
}

impl Verdict {
    /// What was reached, in the terms of the target.
    pub fn reached(&self) -> String {
        ratio(self.ratio.map(|ratio| match self.bound {
            Bound::AtMost(_) => ratio,
            Bound::Faster(_) => 1.0 / ratio,
        }))
    }

    /// The target, what was reached, and whether that is enough.
    fn words(&self) -> String {
        match self.met {
            Some(true) => format!("{}: {}, met", self.wording, self.reached()),
            Some(false) => format!("{}: {}, **short**", self.wording, self.reached()),
            None => format!("{}: nothing to compare", self.wording),
        }
    }
}

impl Table {
    /// What the machine can do, in microseconds an operation.
    pub fn limit_us(&self) -> Option<f64> {
        self.workload.limit.and_then(|id| self.time_of(id))
    }

    /// The quickest library other than the one under test.
    pub fn best_peer(&self) -> Option<(&'static str, f64)> {
        self.best(|_| true)
    }

    /// The same without those that run one independent runtime on each of several threads.
    pub fn best_single(&self) -> Option<(&'static str, f64)> {
        self.best(|shape| shape != Shape::PerThread || self.workload.threads == 1)
    }

    /// The quickest library of the shapes that count.
    fn best(&self, counts: impl Fn(Shape) -> bool) -> Option<(&'static str, f64)> {
        self.rows
            .iter()
            .filter(|row| row.kind == Kind::Library && counts(row.shape))
            .filter_map(|row| Some((row.label, row.outcome.as_ref().ok()?.time_us)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The targets that are about a row, each beside what the row reached.
    pub fn verdicts(&self, row: &Row) -> Vec<Verdict> {
        let concerns = |target: &&Target| match target.who.as_str() {
            AUTOMATIC => row.kind == Kind::Automatic,
            id => row.id == id,
        };
        TARGETS.of(self.workload.name).iter().filter(concerns).map(|target| self.verdict(row, target)).collect()
    }

    /// Compares a row with one target.
    fn verdict(&self, row: &Row, target: &Target) -> Verdict {
        let property = |summary: &Summary| match target.property {
            Property::Time => summary.time_us,
            Property::Cpu => summary.cpu_us,
        };
        let of = |id: &str| self.summary_of(id).map(property);
        let (name, other) = match &target.against {
            Against::One(id) => match id.as_str() {
                BEST_PEER => ("the best peer".to_owned(), self.best_peer().map(|(_, us)| us)),
                BEST_SINGLE => ("the best peer of one instance".to_owned(), self.best_single().map(|(_, us)| us)),
                id => (self.label_of(id).to_owned(), of(id)),
            },
            Against::BestOf(ids) => {
                let names: Vec<_> = ids.iter().map(|id| self.label_of(id)).collect();
                let best = ids.iter().filter_map(|id| of(id)).min_by(f64::total_cmp);
                (format!("the best of {}", names.join(", ")), best)
            }
        };
        let what = match target.property {
            Property::Time => "",
            Property::Cpu => " in CPU",
        };
        let wording = match target.bound {
            Bound::AtMost(ratio) => format!("at most {ratio:.2} x {name}{what}"),
            Bound::Faster(factor) => format!("at least {factor:.2} x faster than {name}{what}"),
        };
        let ratio = row.outcome.as_ref().ok().and_then(|own| Some(property(own) / other?));
        let met = ratio.map(|ratio| target.bound.is_met(ratio));
        Verdict { wording, bound: target.bound, ratio, met }
    }

    /// A row's summary.
    fn summary_of(&self, id: &str) -> Option<&Summary> {
        self.rows.iter().find(|row| row.id == id).and_then(|row| row.outcome.as_ref().ok())
    }

    /// A row's median time.
    fn time_of(&self, id: &str) -> Option<f64> {
        self.summary_of(id).map(|summary| summary.time_us)
    }

    /// A row's name in the tables, or its id if it has no row.
    fn label_of<'a>(&self, id: &'a str) -> &'a str {
        self.rows.iter().find(|row| row.id == id).map_or(id, |row| row.label)
    }
}

/// One workload's table in Markdown, with the targets below it.
pub fn markdown(table: &Table) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "### {} (`{}`)\n", table.workload.title, table.workload.name);
    let judged = table.rows.iter().any(|row| !table.verdicts(row).is_empty());
    out += "| who | us/op (median) | spread (min to max) | x limit | x best peer | CPU us/op | vol. switches/op |";
    out += if judged { " target |\n" } else { "\n" };
    out += "|---|---:|---:|---:|---:|---:|---:|";
    out += if judged { "---|\n" } else { "\n" };
    let limit = table.limit_us();
    let best = table.best_peer();
    for row in &table.rows {
        let _ = match &row.outcome {
            Ok(s) => write!(
                out,
                "| {} | {} | {} to {} | {} | {} | {} | {:.3} |",
                row.label,
                figure(s.time_us),
                figure(s.range_us.0),
                figure(s.range_us.1),
                ratio(limit.map(|limit| s.time_us / limit)),
                ratio(best.map(|(_, best)| s.time_us / best)),
                figure(s.cpu_us),
                s.switches,
            ),
            Err(reason) => write!(out, "| {} | SKIP: {} | | | | | |", row.label, one_line(reason)),
        };
        if judged {
            let verdicts: Vec<_> = table.verdicts(row).iter().map(Verdict::words).collect();
            let _ = write!(out, " {} |", verdicts.join("; "));
        }
        out.push('\n');
    }
    let name = |best: Option<(&'static str, f64)>| best.map_or("none", |(label, _)| label);
    let _ = writeln!(
        out,
        "\nThe limit: {}. The best peer: {}; of one instance: {}.",
        table.workload.limit.map_or("none", |id| table.label_of(id)),
        name(best),
        name(table.best_single()),
    );
    out
}

/// Every table as JSON, with what is needed to draw or compare them later.
pub fn as_json(tables: &[Table], footprints: &[Footprint], machine: &Value) -> Value {
    let tables: Vec<_> = tables.iter().map(table_json).collect();
    let footprints: Vec<_> = footprints.iter().map(footprint_json).collect();
    json!({ "machine": machine, "workloads": tables, "held": footprints })
}

/// What is held, in Markdown, each figure beside its target where it is the library's.
pub fn footprints_markdown(footprints: &[Footprint]) -> String {
    let mut out = "### Holding a context of depth 128\n\n\
        | who | resident KiB | switches of other threads in an idle second | target |\n|---|---:|---:|---|\n"
        .to_owned();
    for footprint in footprints {
        let _ = match &footprint.outcome {
            Ok(held) => {
                let verdict = |met: bool| if met { "met" } else { "**short**" };
                let (memory, idle) = held.meets();
                let target = match footprint.is_ours() {
                    true => format!(
                        "less than {} KiB: {}; {} switches: {}",
                        TARGETS.held.resident_kib,
                        verdict(memory),
                        TARGETS.held.idle_switches,
                        verdict(idle)
                    ),
                    false => String::new(),
                };
                writeln!(out, "| {} | {:.1} | {} | {target} |", footprint.label, held.memory_kib, held.switches)
            }
            Err(reason) => writeln!(out, "| {} | SKIP: {} | | |", footprint.label, one_line(reason)),
        };
    }
    out
}

/// One of them as JSON.
fn footprint_json(footprint: &Footprint) -> Value {
    match &footprint.outcome {
        Ok(held) => {
            let (memory, idle) = held.meets();
            let met = footprint.is_ours().then(|| json!({ "resident": memory, "idle": idle }));
            json!({
                "id": footprint.id,
                "label": footprint.label,
                "resident_kib": held.memory_kib,
                "resident_kib_target": TARGETS.held.resident_kib,
                "idle_switches": held.switches,
                "idle_switches_target": TARGETS.held.idle_switches,
                "met": met,
            })
        }
        Err(reason) => json!({ "id": footprint.id, "label": footprint.label, "skipped": reason }),
    }
}

/// One table as JSON.
fn table_json(table: &Table) -> Value {
    let limit = table.limit_us();
    let best = table.best_peer();
    let rows = table.rows.iter().map(|row| {
        let targets = table
            .verdicts(row)
            .into_iter()
            .map(|verdict| json!({ "target": verdict.wording, "ratio": verdict.ratio, "met": verdict.met }));
        match &row.outcome {
            Ok(s) => json!({
                "id": row.id,
                "label": row.label,
                "us_per_op": s.time_us,
                "us_per_op_min": s.range_us.0,
                "us_per_op_max": s.range_us.1,
                "x_limit": limit.map(|limit| s.time_us / limit),
                "x_best_peer": best.map(|(_, best)| s.time_us / best),
                "cpu_us_per_op": s.cpu_us,
                "voluntary_switches_per_op": s.switches,
                "ops": s.ops,
                "targets": targets.collect::<Vec<_>>(),
            }),
            Err(reason) => json!({ "id": row.id, "label": row.label, "skipped": reason }),
        }
    });
    json!({
        "name": table.workload.name,
        "title": table.workload.title,
        "limit": table.workload.limit,
        "best_peer": best.map(|(label, _)| label),
        "best_peer_of_one_instance": table.best_single().map(|(label, _)| label),
        "rows": rows.collect::<Vec<_>>(),
    })
}

/// Microseconds with about three significant digits.
fn figure(us: f64) -> String {
    match us {
        0.0..10.0 => format!("{us:.2}"),
        10.0..100.0 => format!("{us:.1}"),
        _ => format!("{us:.0}"),
    }
}

/// A ratio, or a dash where there is none.
fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Text that cannot break a table's row.
fn one_line(text: &str) -> String {
    text.replace('\n', " ").replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::{Row, Table};
    use crate::measure::Summary;
    use crate::peers::{Kind, Shape};
    use crate::plan::WORKLOADS;

    /// A row that took `time_us`.
    fn row(id: &'static str, kind: Kind, shape: Shape, time_us: f64) -> Row {
        let range_us = (time_us, time_us);
        let outcome = Ok(Summary { time_us, range_us, cpu_us: time_us, switches: 0.0, ops: 1 });
        Row { id, label: id, kind, shape, outcome }
    }

    #[test]
    fn targets_compare_with_the_right_rows() {
        let workload = WORKLOADS.iter().find(|workload| workload.name == "cached-d32").expect("known");
        let table = Table {
            workload,
            rows: vec![
                row("threads", Kind::Limit, Shape::PerThread, 1.0),
                row("monoio", Kind::Library, Shape::PerThread, 1.1),
                row("monoio-1t", Kind::Library, Shape::OneThread, 1.7),
                row("blocking", Kind::Library, Shape::Shared, 4.0),
                row("fio-uring", Kind::Tool, Shape::Shared, 0.5),
                row("caio-smol", Kind::Automatic, Shape::Shared, 1.2),
                row("caio-thread", Kind::Forced, Shape::Shared, 1.4),
            ],
        };
        assert_eq!(table.best_peer(), Some(("monoio", 1.1)));
        assert_eq!(table.best_single(), Some(("monoio-1t", 1.7)));
        let met = |row: &Row| table.verdicts(row).iter().map(|v| v.met).collect::<Vec<_>>();
        assert_eq!(met(&table.rows[5]), [Some(true), Some(true), Some(false)]);
        assert_eq!(met(&table.rows[6]), [Some(false)]);
        assert_eq!(met(&table.rows[1]), []);
    }

    #[test]
    fn a_target_without_its_reference_is_neither_met_nor_short() {
        let workload = WORKLOADS.iter().find(|workload| workload.name == "write-sync").expect("known");
        let table = Table { workload, rows: vec![row("caio-smol", Kind::Automatic, Shape::Shared, 1.0)] };
        let verdicts = table.verdicts(&table.rows[0]);
        assert_eq!((verdicts.len(), verdicts[0].met, verdicts[0].ratio), (1, None, None));
    }
}
