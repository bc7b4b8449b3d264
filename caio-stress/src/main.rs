//! Random mixes of operations over every backend, route and executor, verified byte by byte.
//!
//! `cargo xtask stress -- [--ops N] [--seconds N] [--seed N] [--backend NAME]`. Each round has a seed, which is printed when the
//! round fails, and repeats its choices; threads may interleave in another way.

#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod buffer;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod polls;
#[cfg(target_os = "linux")]
mod rng;
#[cfg(target_os = "linux")]
mod round;
#[cfg(target_os = "linux")]
mod streams;
#[cfg(target_os = "linux")]
mod subject;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    round::run(&options::Options::from_args())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIP: it needs Linux");
}
