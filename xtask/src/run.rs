//! Running other programs: cargo as every task wants it, output kept and shown, a limit on the time.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What a task returns: an error is one sentence for the person who ran it.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The longest that one program may take, if it has no limit of its own.
pub(crate) const LIMIT: Duration = Duration::from_secs(30 * 60);
/// How often a running program is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What becomes of a program's output while it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// It is passed on as it comes.
    Live,
    /// It is only kept.
    Quiet,
}

/// A program that has ended.
pub(crate) struct Finished {
    /// Whether it exited with status 0 in time.
    pub(crate) success: bool,
    /// Whether it was killed at the limit.
    pub(crate) timed_out: bool,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
    /// How long it ran.
    pub(crate) elapsed: Duration,
}

impl Finished {
    /// The error of `what` if the program failed.
    pub(crate) fn or_fail(self, what: &str) -> Result<Self> {
        match (self.success, self.timed_out) {
            (true, _) => Ok(self),
            (false, true) => Err(format!("{what}: timed out after {:.0?}", self.elapsed)),
            (false, false) => Err(format!("{what}: failed")),
        }
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The directory that cargo builds into, which the tasks keep their own things under.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The cargo that runs this task, at the root of the workspace.
pub(crate) fn cargo() -> Command {
    cargo_at(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The cargo at `program`, at the root of the workspace, set for small and repeatable builds.
pub(crate) fn cargo_at(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, value) in [("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")] {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    if io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// The compiler flags of the environment and `more`.
pub(crate) fn rustflags(more: &str) -> String {
    let inherited = std::env::var("RUSTFLAGS").unwrap_or_default();
    format!("{inherited} {more}").trim().to_owned()
}

/// Runs `command` to its end, or until `limit`.
pub(crate) fn run(command: &mut Command, echo: Echo, limit: Duration) -> Result<Finished> {
    if echo == Echo::Live {
        println!("$ {}", command_line(command));
    }
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    let out = Collector::start(child.stdout.take(), echo, io::stdout());
    let err = Collector::start(child.stderr.take(), echo, io::stderr());

    let status = wait(&mut child, started + limit)?;
    let timed_out = status.is_none();
    Ok(Finished {
        success: status == Some(true),
        timed_out,
        stdout: out.finish(timed_out),
        stderr: err.finish(timed_out),
        elapsed: started.elapsed(),
    })
}

/// Runs a program that must succeed, and shows what it prints.
pub(crate) fn call(command: &mut Command) -> Result {
    let done = run(command, Echo::Live, LIMIT)?;
    done.or_fail("the command above").map(drop)
}

/// Whether `child` succeeded; `None` if it had to be killed at the deadline.
fn wait(child: &mut Child, deadline: Instant) -> Result<Option<bool>> {
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => return Ok(Some(status.success())),
            None if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            None => {
                // Cargo's own child is the test that hangs: it goes first. Without pkill it is left behind.
                let id = child.id().to_string();
                let _ = Command::new("pkill").args(["-KILL", "-P", &id]).status();
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
        }
    }
}

/// The command as a shell would be told it, with the environment that differs from ours.
fn command_line(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
        }
    }
    let program = Path::new(command.get_program());
    let short = program.file_name().unwrap_or(program.as_os_str());
    words.push(short.to_string_lossy().into_owned());
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

/// `word`, in quotes if it has a space.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy().into_owned();
    if word.is_empty() || word.contains(' ') { format!("'{word}'") } else { word }
}

/// A thread that takes in one of a program's streams.
struct Collector {
    /// What has come so far.
    text: Arc<Mutex<String>>,
    /// The thread, which ends with the stream.
    reader: thread::JoinHandle<()>,
}

impl Collector {
    /// Starts to read `stream`, passing it on to `sink` if `echo` says so.
    fn start<S, W>(stream: Option<S>, echo: Echo, mut sink: W) -> Self
    where
        S: Read + Send + 'static,
        W: Write + Send + 'static,
    {
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let Some(stream) = stream else { return };
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
                if echo == Echo::Live {
                    let _ = sink.write_all(&line).and_then(|()| sink.flush());
                }
                if let Ok(mut kept) = kept.lock() {
                    kept.push_str(&String::from_utf8_lossy(&line));
                }
                line.clear();
            }
        });
        Self { text, reader }
    }

    /// What came. After a timeout a grandchild may still hold the stream open, so that it is not read to its end.
    fn finish(self, timed_out: bool) -> String {
        if !timed_out {
            let _ = self.reader.join();
        }
        self.text.lock().map(|text| text.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_kept_apart() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let done = run(&mut command, Echo::Quiet, Duration::from_secs(60)).unwrap();
        assert!(!done.success && !done.timed_out);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(done.or_fail("sh").err().unwrap(), "sh: failed");
    }

    #[test]
    fn a_program_is_killed_at_its_limit() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let done = run(&mut command, Echo::Quiet, Duration::from_millis(50)).unwrap();
        assert!(done.timed_out && !done.success);
        assert!(done.elapsed < Duration::from_secs(60));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program"), Echo::Quiet, Duration::MAX / 4);
        assert!(error.err().unwrap().starts_with("no-such-program: "));
    }

    #[test]
    fn a_command_line_can_be_pasted() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "--", "two words"]).env("RUSTFLAGS", "--cfg loom");
        assert_eq!(command_line(&command), "RUSTFLAGS='--cfg loom' cargo test -- 'two words'");
    }
}
