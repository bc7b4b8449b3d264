//! Somebody else's event loop takes the completions.

use crate::support::{block_on, file};
use caio_conformance::kit::{pipe, until};
use caio_core::{Context, Driver};
use caio_thread::ThreadPool;
use futures::FutureExt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

/// A context and its driver.
fn driven(portable: bool) -> (Context, Driver) {
    ThreadPool::builder().portable(portable).build_with_driver().expect("it opens")
}

#[test]
fn nothing_is_delivered_before_it_is_reaped() {
    for portable in [false, true] {
        let (ctx, mut driver) = driven(portable);
        assert_eq!(driver.reap(8, 1, None).unwrap(), 0, "nothing is in flight, so it does not wait");
        let fd = file();
        let mut syncs: Vec<_> = (0..5).map(|_| ctx.fsync(&fd).submit()).collect();
        readable(&driver);
        assert_eq!(driver.reap(2, 2, None).unwrap(), 2);
        readable(&driver);
        assert_eq!((ctx.in_flight(), ctx.stats().completed), (3, 2));
        assert!(syncs.pop().unwrap().now_or_never().is_none());
        assert_eq!(driver.reap(usize::MAX, 3, Some(Duration::from_secs(10))).unwrap(), 3);
        assert_eq!(driver.reap(usize::MAX, 0, None).unwrap(), 0);
        until("it is quiet", || !is_readable(&driver));
        syncs.truncate(2);
        syncs.into_iter().for_each(|sync| block_on(sync).unwrap());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn waiting_ends_when_its_time_is_up() {
    let (ctx, mut driver) = driven(false);
    let (reader, _writer) = pipe();
    let read = ctx.read(8, &reader, caio_core::NO_OFFSET).submit();
    let started = std::time::Instant::now();
    assert_eq!(driver.reap(8, 1, Some(Duration::from_millis(20))).unwrap(), 0);
    assert!(started.elapsed() >= Duration::from_millis(20));
    let mut cancel = read.cancel();
    assert!((&mut cancel).now_or_never().is_none());
    assert_eq!(driver.reap(8, 1, None).unwrap(), 1);
    assert!(matches!(block_on(cancel), caio_core::Outcome::Cancelled(_)));
}

#[test]
fn what_nobody_reaps_is_freed_with_the_context() {
    let (ctx, driver) = driven(false);
    let buf: Arc<[u8]> = vec![1; 64].into();
    let fd = file();
    drop(ctx.write(Arc::clone(&buf), &fd, 0).submit());
    readable_or_gone(&driver, &buf);
    drop(ctx);
    until("its buffer is freed", || Arc::strong_count(&buf) == 1);
    drop(driver);
}

#[test]
fn a_descriptor_that_cannot_be_had_is_an_error_of_its_own() {
    let error = ThreadPool::builder().max_requests(0).build_with_driver().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// Waits until the descriptor polls readable.
fn readable(driver: &Driver) {
    until("it polls readable", || is_readable(driver));
}

/// Waits until the write has ended, which a file system that takes it without waiting does at once.
fn readable_or_gone(driver: &Driver, buf: &Arc<[u8]>) {
    until("the write has ended", || is_readable(driver) || Arc::strong_count(buf) == 1);
}

/// Whether the descriptor polls readable now.
#[allow(unsafe_code)]
fn is_readable(driver: &Driver) -> bool {
    use std::os::fd::AsRawFd;
    let mut entry = libc::pollfd { fd: driver.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which is ours.
    let ready = unsafe { libc::poll(&mut entry, 1, 0) };
    assert!(ready >= 0, "poll: {}", std::io::Error::last_os_error());
    ready == 1
}
