//! The workspace as its users get it: with the oldest dependencies that it admits, and from its packages.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::run::{Result, call, cargo, root, target_dir};

/// The libraries built against the oldest version of each dependency that a manifest admits.
///
/// In a copy of the workspace, so that the lock file stays as it is.
pub(crate) fn minimal_versions() -> Result {
    let copy = target_dir().join("minimal-versions").join("workspace");
    remove_tree(&copy)?;
    copy_tree(&root(), &copy).map_err(|error| format!("copying the workspace: {error}"))?;
    let mut command = cargo();
    command.current_dir(&copy).args(["check", "--workspace", "--exclude", "xtask", "--all-features"]);
    command.arg("-Zdirect-minimal-versions").env("RUSTC_BOOTSTRAP", "1");
    call(command.env("CARGO_TARGET_DIR", target_dir().join("minimal-versions")))
}

/// What would be published of each crate, and that it builds from that alone.
///
/// Cargo's own verification unpacks into a cache that it does not renew while the version stays the same.
pub(crate) fn packages() -> Result {
    let packages = target_dir().join("package");
    remove_tree(&packages)?;
    call(cargo().args(["package", "--workspace", "--exclude", "xtask", "--no-verify", "--allow-dirty"]))?;

    let unpacked = packages.join("unpacked");
    let failed = |error: std::io::Error| format!("{}: {error}", packages.display());
    fs::create_dir_all(&unpacked).map_err(failed)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&packages).map_err(failed)? {
        let archive = entry.map_err(failed)?.path();
        if archive.extension().is_some_and(|extension| extension == "crate") {
            call(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&unpacked))?;
            names.extend(archive.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    fs::write(unpacked.join("Cargo.toml"), workspace_of(&names)).map_err(failed)?;
    fs::copy(root().join("Cargo.lock"), unpacked.join("Cargo.lock")).map_err(failed)?;
    let mut command = cargo();
    command.current_dir(&unpacked).args(["check", "--workspace", "--all-features"]);
    call(command.env("CARGO_TARGET_DIR", target_dir()))
}

/// The manifest of a workspace of unpacked packages, which are called `name-version`.
fn workspace_of(packages: &[String]) -> String {
    let mut manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"*-*\"]\n\n[patch.crates-io]\n".to_owned();
    for package in packages {
        let version =
            package.match_indices('-').find(|(at, _)| package[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
        let name = version.map_or(package.as_str(), |(at, _)| &package[..at]);
        manifest.push_str(&format!("{name} = {{ path = \"{package}\" }}\n"));
    }
    manifest
}

/// Removes the tree at `path`, if there is one.
fn remove_tree(path: &Path) -> Result {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("{}: {error}", path.display())),
        _ => Ok(()),
    }
}

/// Copies the tree at `from`, but for what is built, hidden, locked, or no part of the workspace.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        let left_out = ["target", "bench", "Cargo.lock"].iter().any(|other| name == *other);
        if hidden || left_out || entry.path() == target_dir() {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &to.join(name))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacked_packages_stand_in_for_published_ones() {
        let manifest = workspace_of(&["caio-0.1.0".to_owned(), "caio-core-0.2.0-rc.1".to_owned()]);
        let (_, patch) = manifest.split_once("[patch.crates-io]\n").unwrap();
        assert_eq!(patch, "caio = { path = \"caio-0.1.0\" }\ncaio-core = { path = \"caio-core-0.2.0-rc.1\" }\n");
    }

    #[test]
    fn a_copy_leaves_out_what_is_built() {
        let here = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        let (from, to) = (here.join("from"), here.join("to"));
        for file in ["Cargo.toml", "Cargo.lock", "a/src/lib.rs", "target/debug/x", ".git/HEAD"] {
            let path = from.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        copy_tree(&from, &to).unwrap();
        let there = |file: &str| to.join(file).exists();
        assert!(there("Cargo.toml") && there("a/src/lib.rs"));
        assert!(!there("Cargo.lock") && !there("target") && !there(".git"));
        fs::remove_dir_all(here).unwrap();
    }
}
