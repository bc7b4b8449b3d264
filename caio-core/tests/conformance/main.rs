//! The behaviours that every backend shows, on the simplest backend that can be written.

#[cfg(target_os = "linux")]
mod simple;
#[cfg(target_os = "linux")]
mod streams;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    caio_conformance::run(&caio_conformance::test_dir!(), vec![simple::subject()])
}

#[cfg(not(target_os = "linux"))]
fn main() {}
