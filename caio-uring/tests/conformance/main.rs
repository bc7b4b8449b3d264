//! The behaviours that every backend shows, with every route forced in turn.

#[cfg(target_os = "linux")]
mod subjects;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    caio_conformance::run(&caio_conformance::test_dir!(), subjects::all())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
