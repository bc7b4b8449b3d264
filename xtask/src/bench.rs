//! The comparison with other libraries, a package of its own outside the workspace.

use crate::run::{Result, cargo};

/// Builds and runs the comparison with `arguments`.
pub(crate) fn bench(arguments: &[String]) -> Result {
    let status = cargo()
        .args(["run", "--release", "--manifest-path", "bench/Cargo.toml", "--features", "caio", "--"])
        .args(arguments)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}
