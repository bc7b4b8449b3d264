//! The tests on other platforms, kernels and machines: a table of recipes, which are scripts, and what came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use crate::chosen;
use crate::report::Tests;
use crate::run::{Result, program, run, target_dir};

/// The longest that one may take: a kernel under emulation takes an hour.
const LIMIT: Duration = Duration::from_secs(4 * 60 * 60);
/// What the table calls what is told of no crate.
const WHOLE: &str = "workspace";
/// What `platforms NAME` calls a platform, and its recipe in `xtask/platforms`. What is checked cannot run here.
const PLATFORMS: &[(&str, &str)] = &[
    ("i686", "i686.sh"),
    ("aarch64", "aarch64.sh"),
    ("musl", "musl.sh"),
    ("windows", "windows.sh"),
    ("macos-x86-64", "check.sh x86_64-apple-darwin"),
    ("macos-arm64", "check.sh aarch64-apple-darwin"),
    ("freebsd", "check.sh x86_64-unknown-freebsd"),
    ("msrv", "msrv.sh"),
    ("one-core", "one-core.sh"),
    ("few-processes", "few-processes.sh"),
    ("linux-6.1", "kernel.sh 6.1"),
    ("linux-6.12", "kernel.sh 6.12"),
    ("user-mode-linux", "uml.sh"),
];

/// Runs the platforms that `arguments` name, or all, and prints a table of platforms x crates.
pub(crate) fn platforms(arguments: &[String]) -> Result {
    let home = target_dir().join("platforms");
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let mut outcomes = Vec::new();
    for (name, recipe) in chosen(PLATFORMS, arguments)? {
        println!("\n== {name} ==");
        let done = run(program("bash").args(format!("xtask/platforms/{recipe}").split(' ')), LIMIT)?;
        let log = home.join(name).with_extension("log");
        fs::write(&log, &done.output).map_err(|error| format!("{}: {error}", log.display()))?;
        outcomes.push((*name, outcome(&done.output, done.success)));
    }
    println!("\n{}", table(&outcomes));
    match outcomes.iter().flat_map(|(_, crates)| crates.values()).map(|tests| tests.failed.len()).sum() {
        0 => Ok(()),
        failed => Err(format!("{failed} failed; what they printed is in {}", home.display())),
    }
}

/// Checks the workspace for the platforms that cannot run here.
pub(crate) fn cross(_: &[String]) -> Result {
    let checked = PLATFORMS.iter().filter(|(_, recipe)| recipe.starts_with("check.sh"));
    platforms(&checked.map(|(name, ..)| (*name).to_owned()).collect::<Vec<_>>())
}

/// What a recipe printed, by crates. What is told of no crate goes under the name of the whole.
fn outcome(output: &str, success: bool) -> BTreeMap<String, Tests> {
    let mut crates = BTreeMap::from([(WHOLE.to_owned(), Tests::default())]);
    for (name, tests) in Tests::by_section(output).into_iter().filter(|(_, tests)| *tests != Tests::default()) {
        crates.entry(if name.is_empty() { WHOLE.to_owned() } else { name }).or_default().add(tests);
    }
    if !success {
        let failed = vec!["the recipe itself".to_owned()];
        crates.entry(WHOLE.to_owned()).or_default().add(Tests { failed, ..Tests::default() });
    }
    crates
}

/// The table in Markdown, the names of what failed, and why tests were skipped.
fn table(outcomes: &[(&str, BTreeMap<String, Tests>)]) -> String {
    let crates: BTreeSet<&String> = outcomes.iter().flat_map(|(_, crates)| crates.keys()).collect();
    let head: String = crates.iter().map(|name| format!(" {name} |")).collect();
    let mut text = format!("Passed / failed / skipped:\n\n| platform |{head}\n|---|{}\n", "---|".repeat(crates.len()));
    let mut notes = String::new();
    for (platform, outcome) in outcomes {
        text.push_str(&format!("| {platform} |"));
        for name in &crates {
            let tests = outcome.get(*name).cloned().unwrap_or_default();
            text.push_str(&match tests == Tests::default() {
                true => if *name == WHOLE { " ok |" } else { " |" }.to_owned(),
                false => format!(" {} / {} / {} |", tests.passed, tests.failed.len(), tests.skips()),
            });
            tests.failed.iter().for_each(|test| notes.push_str(&format!("FAILED  {platform}  {name}  {test}\n")));
            let reasons = tests.skipped.iter();
            reasons.for_each(|(why, times)| notes.push_str(&format!("skipped {platform}  {name}  {times} x {why}\n")));
        }
        text.push('\n');
    }
    format!("{text}\n{notes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_each_crate_and_names_what_failed() {
        let output = "noise\n== a\ntest result: ok. 2 passed; 0 failed; 0 ignored\n== a\ntest x ... \n== exit 134\n\
            == b\nSKIP: no io_uring\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        let table = table(&[("p", outcome(output, true)), ("q", outcome("", false))]);
        assert!(table.contains("\n| p | 2 / 1 / 0 | 0 / 0 / 1 | ok |\n| q | | | 0 / 1 / 0 |\n"), "{table}");
        let notes = "FAILED  p  a  died with 134 in x\nskipped p  b  1 x no io_uring\nFAILED  q  ";
        assert!(table.contains(notes), "{table}");
    }
}
