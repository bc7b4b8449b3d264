//! The comparison with other libraries, a package of its own outside the workspace, and with another commit of this one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{Result, call, cargo, program, root, target_dir};
use crate::suites::attached;

/// How the comparison is built.
const BUILD: &str = "build --release --bin caio-bench --features caio --manifest-path bench/Cargo.toml --target-dir";

/// Builds and runs the comparison with `arguments`; with `--before REV` that commit's is built as well, and both alternate.
pub(crate) fn bench(arguments: &[String]) -> Result {
    let mut arguments = arguments.to_vec();
    let built = root().join("bench/target");
    let build = |tree: &Path, peers: &[&str]| call(cargo(BUILD).arg(&built).args(peers).current_dir(tree));
    let binary = built.join("release/caio-bench");
    match arguments.iter().position(|argument| argument == "--before") {
        None => build(&root(), &[])?,
        Some(at) => {
            let revision = arguments.get(at + 1).ok_or("--before takes a commit")?;
            let (tree, before) = (target_dir().join("before/tree"), target_dir().join("before/caio-bench"));
            call(program("sh").args(["xtask/checkout.sh", revision.as_str()]).arg(&tree))?;
            // Both go into one directory, so that what they have in common is built once.
            build(&tree, &["--no-default-features"])?;
            fs::copy(&binary, &before).map_err(|error| format!("{}: {error}", before.display()))?;
            build(&root(), &["--no-default-features"])?;
            arguments[at + 1] = before.to_string_lossy().into_owned();
        }
    }
    attached(Command::new(binary).args(arguments).current_dir(root()))
}
