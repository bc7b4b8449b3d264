//! A case in a process of its own, where it may count and change what all threads share.

use crate::kit::again;
use crate::test::Verdict;
use libtest_mimic::Completion;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// Whether this process was started for a test.
pub(crate) fn is_for(test: &str) -> bool {
    crate::kit::is_started_for(test)
}

/// Runs a test in a process of its own, if asked for as a user without rights. The process is killed at its deadline.
pub(crate) fn run(test: &str, nobody: bool, deadline: Duration) -> Verdict {
    let mut command = again(test);
    if nobody {
        if !rustix::process::geteuid().is_root() {
            return Ok(Completion::ignored_with("only root can become another user"));
        }
        crate::kit::become_nobody(&mut command);
    }
    let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        // So it is under an emulator of another machine.
        Err(error) => return Ok(Completion::ignored_with(format!("this program cannot start itself: {error}"))),
    };
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(format!("it did not end within {deadline:?}").into());
        }
        thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.split_once(" ignored (").and_then(|(_, rest)| rest.split_once(")\n")) {
        Some((reason, _)) => Ok(Completion::ignored_with(reason)),
        None if output.status.success() && text.contains("1 passed") => Ok(Completion::Completed),
        None => Err(format!("{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)).into()),
    }
}
