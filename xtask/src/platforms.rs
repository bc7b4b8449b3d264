//! Other platforms from Debian: the tests on Windows under wine, and checks for macOS and FreeBSD.
//!
//! Debian's compiler comes with the source of the standard library, which is built for each target.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::only_flag;
use crate::report::{Report, Row, warnings};
use crate::run::{Echo, LIMIT, Result, cargo_at, run, target_dir};
use crate::slow::is_root;

/// Debian's compiler and the source of its library.
const RUST_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// What Windows takes beside it.
const WINDOWS_PACKAGES: [&str; 2] = ["gcc-mingw-w64-x86-64-win32", "wine64"];
/// Where Debian puts them; a rustup in `PATH` would come first.
const CARGO: &str = "/usr/bin/cargo";
/// The compiler beside it.
const RUSTC: &str = "/usr/bin/rustc";
/// The documentation tool beside it.
const RUSTDOC: &str = "/usr/bin/rustdoc";
/// Where wine is, which is not in `PATH`.
const WINE: &str = "/usr/lib/wine/wine64";
/// The linker and C compiler for Windows.
const MINGW: &str = "x86_64-w64-mingw32-gcc";

/// The target whose tests run.
const WINDOWS_TARGET: &str = "x86_64-pc-windows-gnu";
/// The targets that are checked.
const CHECKED_TARGETS: [&str; 3] = ["x86_64-apple-darwin", "aarch64-apple-darwin", "x86_64-unknown-freebsd"];

/// Runs the tests of the portable crates on Windows.
pub(crate) fn windows(arguments: &[String]) -> Result {
    let install = only_flag(arguments, "--install")?;
    ensure_packages(&[RUST_PACKAGES.as_slice(), &WINDOWS_PACKAGES].concat(), install)?;
    let home = target_dir().join("windows");
    let objects = startup_objects(&home.join("rt"))?;
    let prefix = wine_prefix(&home.join("wine"))?;

    let mut report = Report::default();
    for package in ["caio-core", "caio-thread"] {
        let mut command = debian_cargo("test", "std,panic_abort,panic_unwind,test", &home);
        command.args(["--target", WINDOWS_TARGET, "--package", package, "--lib", "--tests"]);
        command.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", MINGW);
        command.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", WINE);
        command.env("RUSTFLAGS", format!("-Lnative={}", objects.display()));
        command.env("WINEPREFIX", &prefix).env("WINEDEBUG", "-all");
        let done = run(&mut command, Echo::Live, LIMIT)?;
        report.push(Row::tests(format!("{WINDOWS_TARGET}: {package}"), &done));
    }
    report.conclude()
}

/// Checks the workspace for platforms that cannot run here.
pub(crate) fn cross(arguments: &[String]) -> Result {
    let install = only_flag(arguments, "--install")?;
    ensure_packages(&RUST_PACKAGES, install)?;
    let home = target_dir().join("cross");
    let mut report = Report::default();
    for target in CHECKED_TARGETS {
        let mut command = debian_cargo("check", "std,panic_abort,test", &home);
        command.args(["--target", target, "--workspace", "--all-features", "--all-targets"]);
        command.env("CARGO_TERM_COLOR", "never");
        let done = run(&mut command, Echo::Live, LIMIT)?;
        let (elapsed, warned) = (done.elapsed, warnings(&done.stderr));
        let mut row = Row::plain(target, elapsed, done.or_fail("cargo check").map(drop));
        if row.note.is_empty() && warned > 0 {
            row.note = format!("{warned} targets with warnings");
        }
        report.push(row);
    }
    report.conclude()
}

/// Debian's cargo, which builds the parts `std` of the standard library too.
fn debian_cargo(task: &str, std: &str, home: &Path) -> Command {
    let mut command = cargo_at(CARGO);
    command.arg(task).arg(format!("-Zbuild-std={std}"));
    command.env("RUSTC", RUSTC).env("RUSTDOC", RUSTDOC).env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_DIR", home.join("target"));
    command
}

/// Installs what is missing of `packages`, as root or if asked to.
fn ensure_packages(packages: &[&str], install: bool) -> Result {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let root = is_root();
    if !root && !install {
        return Err(format!(
            "needs Debian's {list}: pass --install, or `apt-get install --no-install-recommends {list}`"
        ));
    }
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new(if root { "apt-get" } else { "sudo" });
        if !root {
            command.arg("apt-get");
        }
        command.args(["-q", "-y"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command, Echo::Live, LIMIT)?.or_fail("apt-get")
    };
    apt_get(&["update"])?;
    apt_get(&[&["install", "--no-install-recommends"], missing.as_slice()].concat())?;
    Ok(())
}

/// Whether Debian's `package` is installed.
fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query").args(["--show", "--showformat=${Status}", package]).output();
    status.is_ok_and(|output| output.stdout == b"install ok installed")
}

/// The objects that start and end a Windows program, which Debian's compiler has for no target, built into `home`.
fn startup_objects(home: &Path) -> Result<PathBuf> {
    create(home)?;
    let sysroot = run(Command::new(RUSTC).args(["--print", "sysroot"]), Echo::Quiet, LIMIT)?.or_fail(RUSTC)?;
    let sources = Path::new(sysroot.stdout.trim()).join("lib/rustlib/src/rust/library/rtstartup");
    for name in ["rsbegin", "rsend"] {
        let mut rustc = Command::new(RUSTC);
        rustc.args(["--crate-type", "lib", "--emit", "obj", "--target", WINDOWS_TARGET, "-o"]);
        rustc.arg(home.join(name).with_extension("o")).arg(sources.join(name).with_extension("rs"));
        run(rustc.env("RUSTC_BOOTSTRAP", "1"), Echo::Live, LIMIT)?.or_fail("building the startup objects")?;
    }
    Ok(home.to_path_buf())
}

/// A Windows of wine's at `home`, with the library that Rust's programs need and wine lacks.
fn wine_prefix(home: &Path) -> Result<PathBuf> {
    create(home)?;
    let system = home.join("drive_c/windows/system32");
    if !system.is_dir() {
        let mut wine = Command::new(WINE);
        wine.args(["wineboot", "--init"]).env("WINEPREFIX", home).env("WINEDEBUG", "-all");
        run(&mut wine, Echo::Live, LIMIT)?.or_fail("wineboot")?;
    }
    let source = home.join("bcryptprimitives.c");
    fs::write(&source, include_str!("../bcryptprimitives.c"))
        .map_err(|error| format!("{}: {error}", source.display()))?;
    let mut compiler = Command::new(MINGW);
    compiler.args(["-O1", "-shared", "-o"]).arg(system.join("bcryptprimitives.dll")).arg(&source).arg("-ladvapi32");
    run(&mut compiler, Echo::Live, LIMIT)?.or_fail("building bcryptprimitives.dll")?;
    Ok(home.to_path_buf())
}

/// Makes the directory at `path`.
fn create(path: &Path) -> Result {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))
}
