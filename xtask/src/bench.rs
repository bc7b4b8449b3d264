//! The comparison with other libraries, a package of its own outside the workspace, and with another commit of this one.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Result, call, cargo, program, root, target_dir};
use crate::suites::attached;

/// How the comparison is built.
const BUILD: &str = "build --release --bin caio-bench --features caio --manifest-path bench/Cargo.toml --target-dir";

/// Builds and runs the comparison with `arguments`; with `--before REV` that commit's is built as well, and both alternate.
pub(crate) fn bench(arguments: &[String]) -> Result {
    let mut arguments = arguments.to_vec();
    if let Some(at) = arguments.iter().position(|argument| argument == "--before") {
        let revision = arguments.get(at + 1).ok_or("--before takes a commit")?;
        let home = target_dir().join("before");
        checkout(revision, &home.join("tree"))?;
        arguments[at + 1] = build(&home.join("tree"), &home.join("target"))?.to_string_lossy().into_owned();
    }
    let program = build(&root(), &root().join("bench/target"))?;
    attached(Command::new(program).args(arguments).current_dir(root()))
}

/// Makes `tree` a working tree of `revision`.
fn checkout(revision: &str, tree: &Path) -> Result {
    if tree.join(".git").exists() {
        return call(program("git").args(["checkout", "--quiet", "--force", "--detach", revision]).current_dir(tree));
    }
    call(program("git").args(["worktree", "prune"]))?;
    call(program("git").args(["worktree", "add", "--detach"]).arg(tree).arg(revision))
}

/// Builds the comparison of the working tree `tree` into `target`.
fn build(tree: &Path, target: &Path) -> Result<PathBuf> {
    call(cargo(BUILD).arg(target).current_dir(tree))?;
    Ok(target.join("release/caio-bench"))
}
