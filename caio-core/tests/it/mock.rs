//! A backend that does nothing by itself: the test decides what completes, when, and in which order.

use caio_core::{
    Attempt, Attempted, Backend, BackendKind, Completer, Context, Finished, Flush, Key, Op, Opened, Request, Settings,
    SharedFd, Submitted, View,
};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};

/// What the mock has seen and holds.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The requests that are out, in the order in which they came.
    pub(crate) out: Vec<Request>,
    /// The keys that were to be cancelled.
    pub(crate) cancels: Vec<Key>,
    /// The most requests that were ever out.
    pub(crate) peak: usize,
    /// How often a future parked.
    pub(crate) arms: usize,
    /// How often submissions were flushed.
    pub(crate) flushes: usize,
    /// How often it was shut down.
    pub(crate) shutdowns: usize,
    /// Whether submissions end at once, with 0 bytes.
    pub(crate) ends_at_once: bool,
    /// Whether a submission panics once the request was taken.
    pub(crate) panics: bool,
    /// Whether attempts fail at once.
    pub(crate) fails_inline: bool,
    /// How much of any file is in its page cache, from its start on; every byte there is 1.
    pub(crate) cached: u64,
    /// Whether what is submitted is completed in groups.
    pub(crate) groups: bool,
    /// The most transfers of `O_DIRECT` files that core said were under way at a time.
    pub(crate) deepest: u32,
    /// How often a group was flushed.
    pub(crate) group_flushes: usize,
    /// How often completions were looked for.
    pub(crate) reaps: usize,
}

/// The backend.
pub(crate) struct Mock {
    /// The way back.
    completer: Completer,
    /// What it has seen and holds.
    seen: Mutex<Seen>,
}

/// Opens a context with a mock, and gives both.
pub(crate) fn open(max_requests: usize) -> (Context, Arc<Mock>) {
    let mut settings = Settings::default();
    settings.max_requests = max_requests;
    let mut mock = None;
    let open = |settings: &Settings, completer| {
        let backend = Arc::new(Mock::new(completer));
        mock = Some(Arc::clone(&backend));
        Ok(Opened { backend, kind: BackendKind::Thread, max_requests: settings.max_requests, driver: None })
    };
    let (ctx, driver) = Context::open(&settings, BackendKind::Thread, open).unwrap();
    assert!(driver.is_none());
    (ctx, mock.unwrap())
}

impl Mock {
    /// Holds nothing yet.
    pub(crate) fn new(completer: Completer) -> Self {
        Self { completer, seen: Mutex::default() }
    }

    /// What it has seen and holds.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its way back.
    pub(crate) fn completer(&self) -> &Completer {
        &self.completer
    }

    /// The offsets of the requests that are out, which tests use as names.
    pub(crate) fn out(&self) -> Vec<u64> {
        self.seen().out.iter().map(|request| request.op().offset().unwrap_or(u64::MAX)).collect()
    }

    /// How many requests are out.
    pub(crate) fn count(&self) -> usize {
        self.seen().out.len()
    }

    /// Takes the request at a place.
    pub(crate) fn take(&self, index: usize) -> Request {
        self.seen().out.remove(index)
    }

    /// Completes the request at a place; a read of so many bytes has this byte everywhere.
    pub(crate) fn finish(&self, index: usize, bytes: usize, fill: u8) {
        let mut request = self.take(index);
        if let View::Read(buf, _) = request.view() {
            buf[..bytes].fill(fill);
        }
        self.completer.deliver(request.finish(Ok(bytes)));
    }

    /// Fails the request at a place.
    pub(crate) fn fail(&self, index: usize, error: io::Error) {
        let request = self.take(index);
        self.completer.deliver(request.fail(error));
    }

    /// Ends the request at a place as cancelled.
    pub(crate) fn end_cancelled(&self, index: usize) {
        let request = self.take(index);
        self.completer.deliver(request.cancelled());
    }
}

// SAFETY: the tests deliver each request once, to the completer of its mock, and follow no pointer after that.
unsafe impl Backend for Mock {
    fn attempt(&self, attempt: Attempt<'_>) -> Attempted {
        let seen = self.seen();
        if seen.fails_inline {
            return attempt.failed(io::ErrorKind::StorageFull.into());
        }
        let Op::Read { region, offset } = *attempt.op() else { return attempt.missed() };
        if offset.saturating_add(region.len() as u64) > seen.cached {
            return attempt.missed();
        }
        // SAFETY: until the attempt is answered its region is ours.
        unsafe { region.as_ptr().write_bytes(1, region.len()) };
        // SAFETY: so many bytes were written.
        unsafe { attempt.transferred(region.len()) }
    }

    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        let mut seen = self.seen();
        if seen.ends_at_once {
            return Err(request.finish(Ok(0)));
        }
        seen.deepest = seen.deepest.max(request.direct_depth());
        seen.out.push(request);
        seen.peak = seen.peak.max(seen.out.len());
        let panics = std::mem::take(&mut seen.panics);
        assert!(!panics, "a backend that panics");
        Ok(if seen.groups { Submitted::Grouped } else { Submitted::Alone })
    }

    fn flush(&self, how: Flush) {
        match how {
            Flush::Now => self.seen().flushes += 1,
            Flush::WithGroup => self.seen().group_flushes += 1,
        }
    }

    fn reap(&self) {
        self.seen().reaps += 1;
    }

    fn arm(&self) {
        self.seen().arms += 1;
    }

    fn cancel(&self, key: Key) {
        self.seen().cancels.push(key);
    }

    fn shutdown(&self) {
        self.seen().shutdowns += 1;
    }
}

/// Counts its wakes.
#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicUsize);

impl Bell {
    /// How often it was woken.
    pub(crate) fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once with this bell.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F, bell: &Arc<Bell>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(bell));
    Pin::new(future).poll(&mut std::task::Context::from_waker(&waker))
}

/// Polls once; it must not have ended.
#[track_caller]
pub(crate) fn assert_pending<F: Future + Unpin>(future: &mut F) {
    assert!(poll(future, &Arc::default()).is_pending(), "it has ended");
}

/// Polls once; it must have ended.
#[track_caller]
pub(crate) fn assert_ready<F: Future + Unpin>(mut future: F) -> F::Output {
    match poll(&mut future, &Arc::default()) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it has not ended"),
    }
}

/// Some file.
pub(crate) fn file() -> SharedFd {
    tempfile::tempfile().unwrap().into()
}
