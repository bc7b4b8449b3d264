//! Running other programs: cargo as every task wants it, output shown and kept, a limit on the time.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What a task returns: an error is one sentence for the person who ran it.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The longest that one program may take, if it has no limit of its own.
pub(crate) const LIMIT: Duration = Duration::from_secs(30 * 60);
/// How a program is started, so that its output and its complaints keep their order in one stream.
const BOTH_STREAMS: [&str; 3] = ["-c", "exec \"$@\" 2>&1", "sh"];

/// A program that has ended.
pub(crate) struct Finished {
    /// Whether it exited with status 0 in time.
    pub(crate) success: bool,
    /// What it printed, complaints included.
    pub(crate) output: String,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The directory that cargo builds into, which the tasks keep their own things under.
pub(crate) fn target_dir() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A program at the root of the workspace, for [`run`].
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.args(BOTH_STREAMS).arg(name).current_dir(root());
    command
}

/// The cargo that runs this task, set for small and repeatable builds.
pub(crate) fn cargo(arguments: &str) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments.split_whitespace());
    for name in ["CARGO_PROFILE_DEV_DEBUG", "CARGO_INCREMENTAL"] {
        command.env(name, std::env::var_os(name).unwrap_or_else(|| "0".into()));
    }
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// The compiler flags of the environment and `more`.
pub(crate) fn rustflags(more: &str) -> String {
    format!("{} {more}", std::env::var("RUSTFLAGS").unwrap_or_default()).trim().to_owned()
}

/// Runs `command`, which [`program`] or [`cargo`] made, to its end, or until `limit`, and shows what it prints.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    let deadline = Instant::now() + limit;
    println!("$ {}", command_line(command));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("sh: {error}"))?;
    let (sender, lines) = channel();
    let stream = child.stdout.take();
    thread::spawn(move || {
        let lines = stream.into_iter().flat_map(|stream| BufReader::new(stream).split(b'\n'));
        // Nobody listens any more once the time is up, though a grandchild may go on printing.
        lines.map_while(io::Result::ok).try_for_each(|line| sender.send(String::from_utf8_lossy(&line).into_owned()))
    });
    let mut output = String::new();
    let ended = loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                // Whoever read what we show may be gone.
                let _ = writeln!(io::stdout(), "{line}");
                output.extend([&line, "\n"]);
            }
            Err(RecvTimeoutError::Disconnected) => break child.wait(),
            Err(RecvTimeoutError::Timeout) => {
                output.push_str("\n== exit at the time limit\n");
                // Cargo's own child is the test that hangs: it goes first. Without pkill it is left behind.
                let _ = Command::new("pkill").args(["-KILL", "-P", &child.id().to_string()]).status();
                break child.kill().and_then(|()| child.wait());
            }
        }
    };
    let success = ended.map_err(|error| error.to_string())?.success();
    Ok(Finished { success, output })
}

/// Runs a program that must succeed, and shows what it prints.
pub(crate) fn call(command: &mut Command) -> Result {
    let done = run(command, LIMIT)?;
    if done.success { Ok(()) } else { Err(format!("failed: {}", command_line(command))) }
}

/// The command as a person reads it, with the environment that differs from ours.
fn command_line(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let set = set.map(|(name, value)| format!("{}='{}'", name.to_string_lossy(), value.to_string_lossy()));
    let words = command.get_args().skip(BOTH_STREAMS.len()).map(|word| word.to_string_lossy().into_owned());
    set.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_complaints_keep_their_order() {
        let done = run(program("sh").args(["-c", "echo 1; echo 2 >&2; echo 3; exit 3"]), LIMIT).unwrap();
        assert_eq!((done.success, done.output.as_str()), (false, "1\n2\n3\n"));
    }

    #[test]
    fn a_program_is_killed_at_its_limit() {
        let done = run(program("sleep").arg("600"), Duration::from_millis(50)).unwrap();
        assert!(!done.success && done.output.contains("== exit at the time limit"));
    }
}
