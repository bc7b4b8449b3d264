//! The cost of caio-core alone: an operation is entered, completed and taken, and no system call is made for it.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use caio_core::{Backend, BackendKind, Completer, Context, Finished, Key, Opened, Request, Settings, SharedFd};
use divan::Bencher;
use divan::counter::ItemsCount;
use futures::executor::block_on;

fn main() {
    divan::main();
}

/// Ends every operation at once; whoever looks delivers it.
struct Instant {
    /// The way back to the table.
    completer: Completer,
    /// What has ended and is not delivered.
    ended: Mutex<Vec<Finished>>,
}

impl Instant {
    /// One operation that has ended.
    fn next(&self) -> Option<Finished> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl Backend for Instant {
    fn kind(&self) -> BackendKind {
        BackendKind::Thread
    }

    fn submit(&self, request: Request) -> Result<(), Finished> {
        let bytes = request.op().bytes();
        let finished = request.finish(Ok(bytes));
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(finished);
        Ok(())
    }

    fn harvest(&self) {
        while let Some(finished) = self.next() {
            self.completer.deliver(finished);
        }
    }

    fn arm(&self) {
        self.harvest();
    }

    fn cancel(&self, _key: Key) {}

    fn shutdown(&self) {
        self.harvest();
    }
}

/// A context over it.
fn context() -> Context {
    let open = |settings: &Settings, completer: Completer| {
        let backend = Arc::new(Instant { completer, ended: Mutex::new(Vec::new()) });
        Ok(Opened { backend, max_requests: settings.max_requests, driver: None })
    };
    Context::open(&Settings::default(), BackendKind::Thread, open).expect("nothing can refuse").0
}

/// A file that is always there; nothing is ever written to it.
fn file() -> SharedFd {
    let path = std::env::current_exe().expect("this program has a path");
    File::open(path).expect("this program can be read").into()
}

/// Writes with so many in flight at a time, from one thread and from two at once.
#[divan::bench(consts = [1, 32], threads = [1, 2], sample_count = 500, sample_size = 20, max_time = 1)]
fn write<const DEPTH: usize>(bencher: Bencher<'_, '_>) {
    let (context, fd) = (context(), file());
    bencher.counter(ItemsCount::new(DEPTH)).bench(|| {
        block_on(async {
            for write in std::array::from_fn::<_, DEPTH, _>(|_| context.write(b"Hello world", &fd, 0).submit()) {
                assert_eq!(write.await.0.expect("the backend says so"), 11);
            }
        });
    });
}
