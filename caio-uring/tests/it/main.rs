//! The tests of the io_uring backend.
#![cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "loongarch64",
        target_arch = "powerpc64"
    )
))]

mod support;

mod cancel;
mod coalesce;
mod completion;
mod driver;
mod options;
mod refused;
mod routes;
mod shutdown;
mod submission;
