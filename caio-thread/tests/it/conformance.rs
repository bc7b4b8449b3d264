//! The behaviours that every backend must show.

use caio_core::conformance::{Subject, run};
use caio_core::{Context, Settings};
use caio_thread::ThreadPool;
use std::io;

/// Opens the backend as a user does.
fn open(settings: &Settings) -> io::Result<Context> {
    let builder = ThreadPool::builder().max_requests(settings.max_requests).portable(settings.portable);
    match settings.pool_size {
        Some(threads) => builder.pool_size(threads).build(),
        None => builder.build(),
    }
}

#[test]
fn thread() {
    run(&Subject::new("thread", open)).assert_passed();
}

#[test]
fn one_thread() {
    run(&Subject::new("one-thread", |settings| {
        let mut settings = settings.clone();
        settings.pool_size = Some(1);
        open(&settings)
    }))
    .assert_passed();
}

#[test]
fn portable() {
    run(&Subject::new("portable", open).portable()).assert_passed();
}

/// The portable implementation gives a caller's buffer back even from a stream that has nothing, which is more than the suite
/// asks of it.
#[test]
fn portable_takes_reads_back() {
    let open = |settings: &Settings| ThreadPool::builder().max_requests(settings.max_requests).portable(true).build();
    let ours = |case: &str| {
        let themes = ["streams::", "control::", "lifetime::"];
        // A write that has begun is not taken back, and a thread that reads keeps its file.
        let beyond =
            ["streams::full_write_is_cancelled", "streams::full_write_waits", "streams::ends_with_the_context"];
        themes.iter().any(|theme| case.starts_with(theme)) && !beyond.contains(&case)
    };
    run(&Subject::new("portable-streams", open).only(ours)).assert_passed();
}
