//! The targets of a run beside what was reached, and the file that keeps them with all tables.

use std::fmt::Write;

use crate::peers::Kind;
use crate::report::{Table, Verdict};

/// The whole file: `heading` says where the run was, `details` are its tables.
pub fn markdown(heading: &str, tables: &[Table], details: &str) -> String {
    format!(
        "# Results\n\n\
        One full run, written by `cargo xtask bench --record`. Absolute times mean nothing beyond the machine; why targets are\n\
        missed stands in [docs/performance.md](../docs/performance.md), how to read the tables in [README.md](README.md).\n\n\
        {heading}\n## Targets\n\n\
        Each row is a target, each number the ratio of medians on that executor, with the backend chosen automatically:\n\n{}\n\
        The rows of one backend or driver alone, and of making contexts:\n\n{}\n\
        ![The ratios to the limits](results.svg)\n\n## All rows\n\n{details}",
        automatic(tables),
        single(tables)
    )
}

/// The targets of the rows whose backend was chosen automatically, a column for each of the rows.
fn automatic(tables: &[Table]) -> String {
    let mut out = String::new();
    for table in tables {
        let rows: Vec<_> = table.rows.iter().filter(|row| row.kind == Kind::Automatic).collect();
        if rows.len() < 2 {
            continue;
        }
        if out.is_empty() {
            let heads: String = rows.iter().map(|row| format!(" {} |", row.label)).collect();
            let _ = writeln!(out, "| workload | target |{heads} met |\n|---|---|{}---|", "---:|".repeat(rows.len()));
        }
        let verdicts: Vec<_> = rows.iter().map(|row| table.verdicts(row)).collect();
        for target in 0..verdicts.iter().map(Vec::len).min().unwrap_or(0) {
            let column: Vec<&Verdict> = verdicts.iter().map(|verdicts| &verdicts[target]).collect();
            let reached: String = column.iter().map(|verdict| format!(" {} |", verdict.reached())).collect();
            let met = column.iter().filter(|verdict| verdict.met == Some(true)).count();
            let (name, wording) = (table.workload.name, &column[0].wording);
            let _ = writeln!(out, "| {name} | {wording} |{reached} {met} of {} |", column.len());
        }
    }
    out
}

/// The other targets, a line for each.
fn single(tables: &[Table]) -> String {
    let mut out = "| workload | who | target | reached | met |\n|---|---|---|---:|---|\n".to_owned();
    for table in tables {
        let several = table.rows.iter().filter(|row| row.kind == Kind::Automatic).count() > 1;
        for row in table.rows.iter().filter(|row| !(several && row.kind == Kind::Automatic)) {
            for verdict in table.verdicts(row) {
                let met = match verdict.met {
                    Some(true) => "yes",
                    Some(false) => "**short**",
                    None => "nothing to compare",
                };
                let (name, label, wording) = (table.workload.name, row.label, &verdict.wording);
                let _ = writeln!(out, "| {name} | {label} | {wording} | {} | {met} |", verdict.reached());
            }
        }
    }
    out
}
