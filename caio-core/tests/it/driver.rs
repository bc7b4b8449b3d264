//! Completions taken by somebody else's event loop.

use crate::mock::{Mock, assert_ready, file};
use caio_core::{BackendKind, Context, Drive, Opened, Settings};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// A driver that delivers what the mock holds.
struct Reaper {
    /// Whose requests.
    mock: Arc<Mock>,
    /// Something with a descriptor.
    file: std::fs::File,
}

impl Drive for Reaper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn reap(&mut self, max: usize, _min: usize, _timeout: Option<Duration>) -> io::Result<usize> {
        let count = self.mock.count().min(max);
        (0..count).for_each(|_| self.mock.finish(0, 0, 0));
        Ok(count)
    }
}

#[test]
fn a_driver_reaps_on_behalf_of_its_caller() {
    let open = |settings: &Settings, completer| {
        let mock = Arc::new(Mock::new(completer));
        let driver = Reaper { mock: Arc::clone(&mock), file: tempfile::tempfile().unwrap() };
        Ok(Opened { backend: mock, max_requests: settings.max_requests, driver: Some(Box::new(driver)) })
    };
    let (ctx, driver) = Context::open(&Settings::default(), BackendKind::Uring, open).unwrap();
    let (mut driver, fd) = (driver.unwrap(), file());
    let syncs: Vec<_> = (0..3).map(|_| ctx.fsync(&fd).submit()).collect();
    assert_eq!(driver.reap(2, 0, None).unwrap(), 2);
    assert_eq!(driver.reap(usize::MAX, 0, Some(Duration::ZERO)).unwrap(), 1);
    assert!(syncs.into_iter().all(|sync| assert_ready(sync).is_ok()));
    driver.as_fd().try_clone_to_owned().expect("its descriptor is open");
}
