//! The behaviours that every backend shows, with and without the system calls of Linux.

use caio_conformance::{Subject, run, test_dir};
use caio_core::{Context, Driver, Settings};
use caio_thread::ThreadPool;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let one_thread = |settings: &Settings| {
        let mut settings = settings.clone();
        settings.pool_size = settings.pool_size.or(Some(1));
        open(&settings)
    };
    let portable = |settings: &Settings| {
        let mut settings = settings.clone();
        settings.portable = true;
        open(&settings)
    };
    let subjects = vec![
        Subject::new("thread", open),
        Subject::new("one-thread", one_thread),
        Subject::new("portable", portable),
        Subject::new("driven", open).driven("thread-driven"),
    ];
    run(&test_dir!(), subjects)
}

/// Opens the backend as a user does.
fn open(settings: &Settings) -> io::Result<(Context, Option<Driver>)> {
    let mut builder = ThreadPool::builder().max_requests(settings.max_requests).portable(settings.portable);
    if let Some(threads) = settings.pool_size {
        builder = builder.pool_size(threads);
    }
    if settings.driven {
        return builder.build_with_driver().map(|(ctx, driver)| (ctx, Some(driver)));
    }
    Ok((builder.build()?, None))
}
