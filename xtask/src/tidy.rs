//! What a script can check of the project's style.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::no_arguments;
use crate::run::{Result, root};

/// The modules that may have unsafe code; each crate denies it to all others.
const UNSAFE_MODULES: &[&str] = &[
    "caio-aio::engine",
    "caio-aio::ring",
    "caio-core::buf",
    "caio-core::cancel",
    "caio-core::completer",
    "caio-core::conformance::fork",
    "caio-core::conformance::pipe",
    "caio-core::op",
    "caio-core::operation",
    "caio-core::payload",
    "caio-core::request",
    "caio-sys::aio",
    "caio-sys::eventfd",
    "caio-sys::file",
    "caio-sys::fork",
    "caio-sys::poll",
    "caio-sys::rw",
    "caio-sys::sched",
    "caio-thread::linux::carry",
    "caio-thread::linux::inline",
    "caio-uring::backend",
    "caio-uring::buffers",
    "caio-uring::entry",
    "caio-uring::harvest",
    "caio-uring::ring",
];
/// The crates that have none at all.
const SAFE_CRATES: [&str; 2] = ["caio", "xtask"];
/// The most lines that a file may have.
const MAX_LINES: usize = 500;
/// What unfinished code looks like, in halves, so that this file holds none of it.
const UNFINISHED: [(&str, &str); 5] =
    [("todo", "!("), ("unimplemented", "!("), ("dbg", "!("), ("FIX", "ME"), ("XX", "X")];
/// What each manifest of the workspace says.
const MANIFEST_LINES: [&str; 3] = ["rust-version.workspace = true", "license.workspace = true", "[lints]"];

/// Checks the style and prints what is wrong.
pub(crate) fn tidy(arguments: &[String]) -> Result {
    no_arguments(arguments)?;
    check()?;
    println!("tidy");
    Ok(())
}

/// Checks the style; every complaint is printed, the error only counts them.
pub(crate) fn check() -> Result {
    let mut complaints = Vec::new();
    let mut unsafe_modules = BTreeSet::new();
    for package in packages(&root())? {
        let name = file_name(&package);
        let manifest = read(&package.join("Cargo.toml"))?;
        // The comparison with other libraries is no member of the workspace and has a manifest of its own.
        if name != "bench" {
            complaints.extend(manifest_complaints(&name, &manifest));
        }
        for path in rust_files(&package)? {
            let text = read(&path)?;
            let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
            complaints.extend(file_complaints(&shown, &text));
            if is_crate_root(&shown) && name != "bench" {
                complaints.extend(root_complaints(&name, &shown, &text));
            }
            if shown.starts_with(&format!("{name}/src/")) {
                let (modules, stray) = unsafe_allowed(&shown, &text);
                unsafe_modules.extend(modules);
                complaints.extend(stray);
            }
        }
    }
    complaints.extend(list_complaints(&unsafe_modules, UNSAFE_MODULES));
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    match complaints.len() {
        0 => Ok(()),
        count => Err(format!("{count} complaints")),
    }
}

/// What is wrong with the manifest of the crate `name`.
fn manifest_complaints(name: &str, manifest: &str) -> Vec<String> {
    let missing = MANIFEST_LINES.iter().filter(|line| !manifest.lines().any(|have| have == **line));
    missing.map(|line| format!("{name}/Cargo.toml: has no line `{line}`")).collect()
}

/// What is wrong with the Rust file `shown`, whatever crate it is in.
fn file_complaints(shown: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//! ") {
        complaints.push(format!("{shown}:1: starts with no `//!` sentence"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        complaints.push(format!("{shown}: {lines} lines, more than {MAX_LINES}: which two nouns are these?"));
    }
    for (index, line) in text.lines().enumerate() {
        for (head, tail) in UNFINISHED {
            if line.contains(&format!("{head}{tail}")) {
                complaints.push(format!("{shown}:{}: unfinished: {head}{tail}", index + 1));
            }
        }
    }
    complaints
}

/// What is wrong with the root file of the crate `name`.
fn root_complaints(name: &str, shown: &str, text: &str) -> Vec<String> {
    let level = if SAFE_CRATES.contains(&name) { ["forbid"].as_slice() } else { &["deny", "forbid"] };
    let stated = |level: &&str| text.lines().any(|line| line == format!("#![{level}(unsafe_code)]"));
    if level.iter().any(stated) {
        return Vec::new();
    }
    vec![format!("{shown}: has no line `#![{}(unsafe_code)]`", level[0])]
}

/// The modules that the file `shown` allows unsafe code to, and complaints about other places that allow it.
fn unsafe_allowed(shown: &str, text: &str) -> (Vec<String>, Vec<String>) {
    let mut modules = Vec::new();
    let mut stray = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if !(line.trim_start().starts_with("#") && line.contains("allow(unsafe_code)")) {
            continue;
        }
        let item = lines.by_ref().map(|(_, line)| line.trim()).find(|line| !line.starts_with("#["));
        match item.and_then(declared_module) {
            Some(module) => modules.push(format!("{}::{module}", module_path(shown))),
            None => stray.push(format!("{shown}:{}: only a `mod` line may allow unsafe code", index + 1)),
        }
    }
    (modules, stray)
}

/// What is wrong between the modules that are found and those that are listed.
fn list_complaints(found: &BTreeSet<String>, listed: &[&str]) -> Vec<String> {
    let unlisted = found.iter().filter(|module| !listed.contains(&module.as_str()));
    let stale = listed.iter().filter(|module| !found.contains(**module));
    let unlisted = unlisted.map(|module| format!("{module}: allows unsafe code and is not in xtask's UNSAFE_MODULES"));
    unlisted
        .chain(stale.map(|module| format!("{module}: is in xtask's UNSAFE_MODULES and allows no unsafe code")))
        .collect()
}

/// The name in `mod name;`, whatever its visibility.
fn declared_module(line: &str) -> Option<&str> {
    let declaration = line.strip_suffix(';')?;
    let (visibility, name) = declaration.rsplit_once("mod ")?;
    let visible = visibility.is_empty() || visibility.starts_with("pub");
    visible.then_some(name)
}

/// `caio-core/src/buf/mod.rs` and `caio-core/src/buf.rs` as `caio-core::buf`.
fn module_path(shown: &str) -> String {
    let path = shown.strip_suffix(".rs").unwrap_or(shown).replacen("/src/", "::", 1);
    let path = path.replace('/', "::");
    ["::lib", "::main", "::mod"].iter().fold(path, |path, end| path.strip_suffix(end).unwrap_or(&path).to_owned())
}

/// Whether the file is the root of a library or of the only program of a crate.
fn is_crate_root(shown: &str) -> bool {
    let mut parts = shown.split('/').skip(1);
    let place = (parts.next(), parts.next(), parts.next());
    matches!(place, (Some("src"), Some("lib.rs" | "main.rs"), None))
}

/// The directories under `root` that have a manifest.
fn packages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut packages = entries(root)?;
    packages.retain(|path| path.join("Cargo.toml").is_file());
    Ok(packages)
}

/// All Rust files under `directory`, but for what is built.
fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(directory)? {
        if path.is_dir() && file_name(&path) != "target" {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// What is in `directory`, sorted.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let entries = fs::read_dir(directory).map_err(failed)?;
    let mut paths = entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The text of the file at `path`.
fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The last part of `path`.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_starts_with_a_sentence_and_ends_in_time() {
        assert!(file_complaints("a/src/b.rs", "//! A noun.\nfn f() {}\n").is_empty());
        assert_eq!(file_complaints("a/src/b.rs", "fn f() {}\n").len(), 1);
        let long = format!("//! A noun.\n{}", "\n".repeat(MAX_LINES));
        assert!(file_complaints("a/src/b.rs", &long)[0].contains("501 lines"));
    }

    #[test]
    fn unfinished_code_is_found_with_its_line() {
        let text = format!("//! A noun.\nfn f() {{ {}{}) }}\n", UNFINISHED[0].0, UNFINISHED[0].1);
        assert!(file_complaints("a/src/b.rs", &text)[0].starts_with("a/src/b.rs:2: unfinished"));
    }

    #[test]
    fn a_manifest_takes_its_version_and_lints_from_the_workspace() {
        let good = "rust-version.workspace = true\nlicense.workspace = true\n\n[lints]\nworkspace = true\n";
        assert!(manifest_complaints("a", good).is_empty());
        let complaints = manifest_complaints("a", "license.workspace = true\n[lints]\n");
        assert_eq!(complaints, ["a/Cargo.toml: has no line `rust-version.workspace = true`"]);
    }

    #[test]
    fn the_facade_forbids_what_the_others_deny() {
        let (deny, forbid) = ("//! x\n#![deny(unsafe_code)]\n", "//! x\n#![forbid(unsafe_code)]\n");
        assert!(root_complaints("caio-core", "caio-core/src/lib.rs", deny).is_empty());
        assert!(root_complaints("caio-thread", "caio-thread/src/lib.rs", forbid).is_empty());
        assert!(root_complaints("caio", "caio/src/lib.rs", forbid).is_empty());
        assert_eq!(root_complaints("caio", "caio/src/lib.rs", deny).len(), 1);
        assert_eq!(root_complaints("caio-core", "caio-core/src/lib.rs", "//! x\n").len(), 1);
    }

    #[test]
    fn unsafe_is_allowed_on_mod_lines_alone() {
        let allow = "#[allow(unsafe_code)]";
        let text = format!("//! x\n{allow}\n#[cfg(unix)]\npub(crate) mod ring;\nmod safe;\n{allow}\nfn f() {{}}\n");
        let (modules, stray) = unsafe_allowed("a/src/lib.rs", &text);
        assert_eq!(modules, ["a::ring"]);
        assert_eq!(stray, ["a/src/lib.rs:6: only a `mod` line may allow unsafe code"]);
        let (_, stray) = unsafe_allowed("a/src/b.rs", "//! x\n#![allow(unsafe_code)]\nfn f() {}\n");
        assert_eq!(stray.len(), 1);
    }

    #[test]
    fn the_list_of_unsafe_modules_is_exact() {
        let found = BTreeSet::from(["a::b".to_owned(), "a::c".to_owned()]);
        assert!(list_complaints(&found, &["a::b", "a::c"]).is_empty());
        assert!(list_complaints(&found, &["a::b"])[0].contains("is not in"));
        assert!(list_complaints(&found, &["a::b", "a::c", "a::d"])[0].starts_with("a::d: is in"));
    }

    #[test]
    fn paths_become_modules() {
        assert_eq!(module_path("caio-core/src/lib.rs"), "caio-core");
        assert_eq!(module_path("caio-core/src/buf/mod.rs"), "caio-core::buf");
        assert_eq!(module_path("caio-core/src/buf/slice.rs"), "caio-core::buf::slice");
        assert_eq!(declared_module("pub mod rw;"), Some("rw"));
        assert_eq!(declared_module("fn f() {}"), None);
        assert!(is_crate_root("xtask/src/main.rs") && is_crate_root("caio/src/lib.rs"));
        assert!(!is_crate_root("caio/src/a/lib.rs") && !is_crate_root("caio/tests/it/main.rs"));
    }
}
