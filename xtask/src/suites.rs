//! Scripts, and suites that take longer, or more of the machine, than CI has on each change.

use std::process::Command;

use crate::report::{Report, Row, tested};
use crate::run::{LIMIT, Result, call, cargo, program, root, run, rustflags, target_dir};

/// The target that the sanitizers are built for; naming it keeps them out of build scripts.
const SANITIZED: &str = "--target x86_64-unknown-linux-gnu";

/// Runs the script `xtask/NAME.sh`, which is told where cargo is and where it builds into.
pub(crate) fn script(name: &str) -> Result {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = program("sh");
    command.arg(format!("xtask/{name}.sh")).arg(target_dir());
    call(command.env("CARGO", cargo).env("CARGO_PROFILE_DEV_DEBUG", "0"))
}

/// Runs the stress in release mode with `arguments`, for as long as they say.
pub(crate) fn stress(arguments: &[String]) -> Result {
    attached(cargo("run --release --package caio-stress --").args(arguments))
}

/// Runs a program with this one's terminal and without a limit on the time.
pub(crate) fn attached(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

/// Runs the tests of all crates, and a short stress, under the address and leak sanitizers.
pub(crate) fn sanitize(_: &[String]) -> Result {
    let sanitized = |arguments: &str| {
        let mut command = cargo(arguments);
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", rustflags("-Zsanitizer=address"));
        // What a test forgets on purpose is no leak: such tests say `forget` in their name.
        let suppressions = root().join("xtask/lsan.supp");
        command.env("LSAN_OPTIONS", format!("print_suppressions=0:suppressions={}", suppressions.display()));
        command.env("ASAN_OPTIONS", "detect_leaks=1").env("CARGO_TARGET_DIR", target_dir().join("sanitize"));
        run(&mut command, LIMIT)
    };
    let tests = "test --workspace --exclude xtask --all-features --lib --tests --no-fail-fast";
    let tests = || tested(&sanitized(&format!("{tests} {SANITIZED} -- --show-output"))?);
    let stress = || {
        let done = sanitized(&format!("run --package caio-stress {SANITIZED} -- --seconds 60"))?;
        if done.success { Ok(String::new()) } else { Err("it failed".to_owned()) }
    };
    Report(vec![Row::timed("tests", tests), Row::timed("stress", stress)]).conclude()
}

/// Runs the tests that make the system refuse io_uring or kernel AIO, with the settings of the whole system put back.
pub(crate) fn refused(_: &[String]) -> Result {
    // The tests look at what the example prints under each refusal.
    call(&mut cargo("build --package caio --example doctor"))?;
    let tests = || tested(&run(program("sh").arg("xtask/refused.sh"), LIMIT)?);
    Report(vec![Row::timed("refused", tests)]).conclude()
}
