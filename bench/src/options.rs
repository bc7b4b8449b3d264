//! The command line.

use std::error::Error;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, ValueExt};

use crate::peers::{self, Peer};
use crate::plan::{WORKLOADS, Workload};

/// What `--help` prints.
pub const HELP: &str = "\
Compares ways to do file I/O from Rust, in interleaved rounds on this machine.

usage: caio-bench [--quick] [--only WORKLOAD,...] [--peers PEER,...] [--rounds N] [--round-ms N]
                  [--dir DIR] [--json FILE] [--svg FILE] [--record] [--before PROGRAM] [--list]

  --quick     fewer and shorter rounds: under 4 minutes in all
  --only      these workloads alone (their names' beginnings will do)
  --peers     these peers alone (their names' beginnings will do)
  --rounds    rounds of each peer
  --round-ms  length of a round
  --dir       where the files are made, on a real disk (default: target/bench-data)
  --json      writes every figure to FILE
  --svg       draws the ratios into FILE
  --record    writes bench/RESULTS.md and its chart
  --before    compares the library's rows with those of another build of this program, in turn
              (`cargo xtask bench --before REV` builds the program of a commit)
  --list      prints the workloads and the peers
";

/// What the command line asks for.
pub struct Options {
    /// Workloads to run.
    pub workloads: Vec<&'static Workload>,
    /// Peers to run them with.
    pub peers: Vec<Peer>,
    /// Fewer and shorter rounds.
    pub quick: bool,
    /// Rounds of each peer.
    pub rounds: usize,
    /// Length of a round, if it was given.
    pub round_ms: Option<u64>,
    /// Where the files are.
    pub dir: PathBuf,
    /// Where the figures go.
    pub json: Option<PathBuf>,
    /// Where the chart goes.
    pub svg: Option<PathBuf>,
    /// Whether the run is to be kept in the repository.
    pub record: bool,
    /// Compare with this program instead.
    pub before: Option<PathBuf>,
    /// Measure what holding this costs instead, in this process.
    pub footprint: Option<String>,
    /// Print what there is instead.
    pub list: bool,
    /// Print the usage instead.
    pub help: bool,
}

impl Options {
    /// Reads the program's arguments.
    pub fn parse() -> Result<Self, Box<dyn Error>> {
        let (mut only, mut who, mut rounds) = (Vec::new(), Vec::new(), None);
        let mut options = Self {
            workloads: Vec::new(),
            peers: Vec::new(),
            quick: false,
            rounds: 0,
            round_ms: None,
            dir: "target/bench-data".into(),
            json: None,
            record: false,
            before: None,
            footprint: None,
            svg: None,
            list: false,
            help: false,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("quick") => options.quick = true,
                Long("only") => only.extend(names(&parser.value()?.string()?)),
                Long("peers") => who.extend(names(&parser.value()?.string()?)),
                Long("rounds") => rounds = Some(parser.value()?.parse::<usize>()?.max(1)),
                Long("round-ms") => options.round_ms = Some(parser.value()?.parse::<u64>()?.max(1)),
                Long("dir") => options.dir = parser.value()?.into(),
                Long("json") => options.json = Some(parser.value()?.into()),
                Long("svg") => options.svg = Some(parser.value()?.into()),
                Long("record") => options.record = true,
                Long("before") => options.before = Some(parser.value()?.into()),
                Long("footprint") => options.footprint = Some(parser.value()?.string()?),
                Long("list") => options.list = true,
                Long("help") | Short('h') => options.help = true,
                other => return Err(other.unexpected().into()),
            }
        }
        options.rounds = rounds.unwrap_or(if options.quick { 5 } else { 11 });
        options.workloads = chosen(WORKLOADS.iter().collect(), &only, |workload| workload.name)?;
        options.peers = chosen(peers::all(), &who, |peer| peer.id)?;
        Ok(options)
    }
}

/// Splits a list at its commas.
fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Keeps what was named, exactly or by its beginning; everything, if nothing was named.
fn chosen<T>(mut all: Vec<T>, wanted: &[String], name: fn(&T) -> &'static str) -> Result<Vec<T>, String> {
    let known: Vec<_> = all.iter().map(name).collect();
    let exact = |want: &str| known.contains(&want);
    if let Some(unknown) = wanted.iter().find(|want| !known.iter().any(|name| name.starts_with(want.as_str()))) {
        return Err(format!("{unknown} is none of {}", known.join(", ")));
    }
    let fits = |name: &str, want: &String| {
        if exact(want) { name == want } else { name.starts_with(want.as_str()) }
    };
    all.retain(|item| wanted.is_empty() || wanted.iter().any(|want| fits(name(item), want)));
    Ok(all)
}
