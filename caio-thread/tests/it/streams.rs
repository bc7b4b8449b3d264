//! What waits for pipes and devices.

use crate::support::{block_on, file, pooled, threads, workers};
use caio_conformance::kit::{alone, park, pipe, until};
use caio_core::{NO_OFFSET, Outcome, SharedFd};
use caio_thread::ThreadPool;
use std::io::{Read, Write};
use std::time::Duration;

/// How many descriptors the process has.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("procfs").count()
}

#[test]
fn contexts_leave_no_threads_and_no_descriptors() {
    alone("streams::contexts_leave_no_threads_and_no_descriptors", || {
        let before = descriptors();
        let mut writers = Vec::new();
        for round in 0..100 {
            let ctx = ThreadPool::builder().build().unwrap();
            let (reader, writer) = pipe();
            let reads: Vec<_> = (0..3).map(|_| ctx.read(8, &reader, NO_OFFSET).submit()).collect();
            assert_eq!(block_on(ctx.write(b"x", &file(), 0)).0.unwrap(), 1);
            until("there is an event loop", || threads().iter().any(|name| name.trim() == "caio-waits"));
            if round % 2 == 0 {
                drop((ctx, reads));
            } else {
                drop((reads, ctx));
            }
            writers.push(writer);
        }
        until("all threads have ended", || threads().is_empty());
        drop(writers);
        until("all descriptors are closed", || descriptors() == before);
    });
}

#[test]
fn the_event_loop_ends_when_nobody_waits() {
    alone("streams::the_event_loop_ends_when_nobody_waits", || {
        let ctx = ThreadPool::builder().linger(Duration::from_millis(20)).build().unwrap();
        for _ in 0..3 {
            let (reader, mut writer) = pipe();
            let read = ctx.read(8, &reader, NO_OFFSET).submit();
            writer.write_all(b"data").unwrap();
            assert_eq!(block_on(read).unwrap(), b"data");
            until("the event loop has ended", || threads().is_empty());
        }
    });
}

#[test]
fn the_file_of_a_cancelled_read_is_closed() {
    let (ctx, pool) = pooled(workers(1));
    let (reader, mut writer) = pipe();
    let read = ctx.read(8, &reader, NO_OFFSET).submit();
    drop(reader);
    assert_eq!(pool.in_flight(), 1);
    assert!(matches!(block_on(read.cancel()), Outcome::Cancelled(_)));
    until("the pipe has no reader", || {
        writer.write(b"x").is_err_and(|error| error.raw_os_error() == Some(libc::EPIPE))
    });
    assert_eq!(pool.counters().started, 0, "no worker had to do with it");
}

#[test]
fn reads_of_one_pipe_are_served_in_turn() {
    let (ctx, _pool) = pooled(workers(2));
    let (reader, mut writer) = pipe();
    let reads: Vec<_> = (0..20).map(|_| ctx.read(1, &reader, NO_OFFSET).submit()).collect();
    let expected: Vec<u8> = (0..20).collect();
    writer.write_all(&expected).unwrap();
    let seen: Vec<u8> = block_on(futures::future::join_all(reads)).into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(seen, expected);
}

/// A terminal knows no `RWF_NOWAIT`: a worker reads it, once it is ready.
#[test]
fn a_terminal_occupies_a_worker_only_while_it_has_something() {
    let Some((mut ours, theirs)) = terminal() else {
        println!("SKIP: no pseudo-terminal can be had here");
        return;
    };
    let (ctx, _pool) = pooled(workers(1));
    let first = ctx.read(64, &theirs, NO_OFFSET).submit();
    let second = ctx.read(64, &theirs, NO_OFFSET).submit();
    let third = ctx.read_into(vec![7; 8], &theirs, NO_OFFSET).submit();
    assert_eq!(block_on(ctx.write(b"other", &file(), 0)).0.unwrap(), 5);
    ours.write_all(b"first\n").unwrap();
    assert_eq!(block_on(first).unwrap(), b"first\n");
    assert_eq!(block_on(ctx.write(b"other", &file(), 0)).0.unwrap(), 5);
    ours.write_all(b"second\n").unwrap();
    assert_eq!(block_on(second).unwrap(), b"second\n");
    assert!(matches!(block_on(third.cancel()), Outcome::Cancelled(buf) if buf == [7; 8]));
    let mut echo = [0; 5];
    let written = block_on(ctx.write(b"hello", &theirs, NO_OFFSET)).0.unwrap();
    assert_eq!(written, 5);
    let mut all = Vec::new();
    while !all.ends_with(b"hello") {
        let read = ours.read(&mut echo).unwrap();
        all.extend_from_slice(&echo[..read]);
    }
}

/// Both ends of a pseudo-terminal.
#[allow(unsafe_code)]
fn terminal() -> Option<(std::fs::File, SharedFd)> {
    use std::os::fd::{FromRawFd, OwnedFd};
    let (mut ours, mut theirs) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: the two numbers are places to write to, and the other arguments may be null.
    let opened = unsafe { libc::openpty(&mut ours, &mut theirs, none, std::ptr::null(), std::ptr::null()) };
    if opened != 0 {
        return None;
    }
    // SAFETY: `openpty` has just opened this descriptor for us, and nobody else owns it.
    let ours = unsafe { OwnedFd::from_raw_fd(ours) };
    // SAFETY: as above.
    let theirs = unsafe { OwnedFd::from_raw_fd(theirs) };
    Some((ours.into(), theirs.into()))
}

/// Two names of one descriptor can wait at the same time, as a binding of another language has
/// them.
#[test]
fn one_number_under_two_names() {
    use std::os::fd::AsRawFd;
    let ctx = ThreadPool::builder().build().unwrap();
    let (reader, mut writer) = pipe();
    // SAFETY: the pipe is closed at the end of the test, after all operations.
    let [first, second] = [(); 2].map(|()| unsafe { SharedFd::borrowed(reader.as_raw_fd()) });
    let mut reads = [ctx.read(1, &first, NO_OFFSET), ctx.read(1, &second, NO_OFFSET)];
    reads.iter_mut().for_each(|read| drop(park(read)));
    writer.write_all(b"ab").unwrap();
    let mut got = reads.map(|read| block_on(read).unwrap()[0]);
    got.sort_unstable();
    assert_eq!(&got, b"ab");
}
