//! What the command line asks for.

use std::time::Duration;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// How many operations.
    pub(crate) ops: u64,
    /// How long at most.
    pub(crate) limit: Option<Duration>,
    /// The seed of the first round; that of each further one is larger by 1.
    pub(crate) seed: u64,
    /// Which subjects, by a part of their name.
    pub(crate) subject: String,
}

impl Options {
    /// Reads the arguments; what is wrong with them ends the program.
    pub(crate) fn from_args() -> Self {
        let mut options = Self { ops: 10_000_000, limit: None, seed: 1, subject: String::new() };
        let mut args = std::env::args().skip(1).filter(|arg| arg != "--");
        while let Some(name) = args.next() {
            let value = args.next().unwrap_or_default();
            let number = value.parse::<u64>().ok();
            match (name.as_str(), number) {
                ("--ops", Some(number)) => options.ops = number,
                ("--seconds", Some(number)) => options.limit = Some(Duration::from_secs(number)),
                ("--seed", Some(number)) => options.seed = number,
                ("--backend", _) if !value.is_empty() => options.subject = value,
                _ => {
                    eprintln!("usage: [--ops N] [--seconds N] [--seed N] [--backend NAME]");
                    std::process::exit(2);
                }
            }
        }
        options
    }
}
