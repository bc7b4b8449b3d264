//! Completions taken by an external event loop.

use crate::mock::{Mock, assert_pending, assert_ready, file};
use caio_core::{BackendKind, Context, Drive, Driver, Opened, Settings};
use caio_sys::eventfd::EventFd;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// A driver that delivers what the mock holds.
struct Reaper {
    /// Whose requests.
    mock: Arc<Mock>,
    /// What is signalled.
    signal: EventFd,
}

impl Drive for Reaper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }

    fn notify(&self) {
        self.signal.signal().unwrap();
    }

    fn take(&self, max: usize) -> io::Result<usize> {
        self.signal.drain()?;
        let count = self.mock.count().min(max);
        (0..count).for_each(|_| self.mock.finish(0, 0, 0));
        Ok(count)
    }
}

/// A context with a driver, and its backend.
fn driven(max_requests: usize) -> (Context, Driver, Arc<Mock>) {
    let mut backend = None;
    let open = |settings: &Settings, completer| {
        let mock = Arc::new(Mock::new(completer));
        backend = Some(Arc::clone(&mock));
        let driver = Reaper { mock: Arc::clone(&mock), signal: EventFd::new().unwrap() };
        let kind = BackendKind::Uring;
        Ok(Opened { backend: mock, kind, max_requests: settings.max_requests, driver: Some(Arc::new(driver)) })
    };
    let mut settings = Settings::default();
    settings.max_requests = max_requests;
    let (ctx, driver) = Context::open_driven(settings, BackendKind::Uring, open).unwrap();
    (ctx, driver, backend.unwrap())
}

#[test]
fn a_driver_reaps_on_behalf_of_its_caller() {
    let (ctx, mut driver, _mock) = driven(8);
    let fd = file();
    let syncs: Vec<_> = (0..3).map(|_| ctx.fsync(&fd).submit()).collect();
    assert_eq!(driver.reap(2, 0, None).unwrap(), 2);
    assert_eq!(driver.reap(usize::MAX, 0, Some(Duration::ZERO)).unwrap(), 1);
    assert!(syncs.into_iter().all(|sync| assert_ready(sync).is_ok()));
    driver.as_fd().try_clone_to_owned().expect("its descriptor is open");
}

#[test]
fn a_driver_that_waits_is_told_when_the_last_operation_has_ended_elsewhere() {
    let (ctx, mut driver, mock) = driven(8);
    let sync = ctx.fsync(&file()).submit();
    let request = mock.take(0);
    let waits = std::thread::spawn(move || driver.reap(1, 1, None).unwrap());
    let waiting = std::time::Instant::now();
    while waiting.elapsed() < Duration::from_millis(20) {
        assert!(!waits.is_finished(), "one is in flight");
        std::thread::yield_now();
    }
    mock.completer().deliver(request.finish(Ok(0)));
    assert_eq!(waits.join().unwrap(), 0);
    assert_ready(sync).unwrap();
    drop(ctx);
}

#[test]
fn without_its_driver_a_context_ends_everything_and_says_so() {
    let (ctx, driver, mock) = driven(1);
    let fd = file();
    let mut running = ctx.fsync(&fd).submit();
    let waiting = ctx.fsync(&fd).submit();
    let staged = ctx.batch().fsync(&fd);
    drop(driver);
    assert_eq!(mock.seen().shutdowns, 1);
    assert_pending(&mut running); // until the backend is done with it
    mock.end_cancelled(0);
    for ended in [running, waiting, staged, ctx.fsync(&fd)] {
        let error = assert_ready(ended).unwrap_err();
        assert!(error.to_string().contains("driver"), "{error}");
    }
    assert!(ctx.is_closed());
    futures::executor::block_on(ctx.close());
}
