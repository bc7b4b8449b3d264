//! What a case is given: a backend to open, and a directory of its own.

use crate::Subject;
use crate::context::Context;
use crate::event_loop::EventLoop;
use crate::meter::Meter;
#[cfg(target_os = "linux")]
use caio_core::Driver;
use caio_core::{DEFAULT_MAX_REQUESTS, Settings, SharedFd};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The reason for which a case gives up, as the payload of its unwinding.
#[derive(Debug)]
pub(crate) struct Skip(pub(crate) String);

/// Ends the case: it cannot be tried here.
pub(crate) fn skip(reason: impl Into<String>) -> ! {
    std::panic::resume_unwind(Box::new(Skip(reason.into())))
}

/// A backend to open, and a directory of the case's own, which is removed with it.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// The backend under test.
    subject: Subject,
    /// The directory.
    dir: PathBuf,
    /// Measures what the case calls.
    meter: Arc<Meter>,
    /// Takes completions where the subject is driven.
    event_loop: EventLoop,
}

impl Fixture {
    /// Makes the directory.
    pub(crate) fn new(below: &Path, subject: &Subject, case: &str, meter: &Arc<Meter>) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("caio-{}-{}-{number}-{}", subject.name(), std::process::id(), case.replace("::", "-"));
        let dir = below.join(name);
        fs::create_dir_all(&dir)?;
        if subject.is_synchronous() {
            meter.ignore();
        }
        Ok(Self { subject: subject.clone(), dir, meter: Arc::clone(meter), event_loop: EventLoop::default() })
    }

    /// A context with the default settings.
    pub(crate) fn context(&self) -> Context {
        self.bounded(DEFAULT_MAX_REQUESTS)
    }

    /// A context with a bound on operations in flight.
    pub(crate) fn bounded(&self, max_requests: usize) -> Context {
        let mut settings = Settings::default();
        settings.max_requests = max_requests;
        self.open(&settings).expect("the backend opens")
    }

    /// A context with these settings.
    pub(crate) fn open(&self, settings: &Settings) -> io::Result<Context> {
        let mut settings = settings.clone();
        settings.driven = self.subject.is_driven();
        let (context, driver) = self.subject.open(&settings)?;
        driver.into_iter().for_each(|driver| self.event_loop.add(driver));
        Ok(Context::new(context, &self.meter))
    }

    /// A context with a bound, whose completions are taken by the driver alone. Ends the case where there is no driver.
    #[cfg(target_os = "linux")]
    pub(crate) fn driven(&self, max_requests: usize) -> (Context, Driver) {
        let mut settings = Settings::default();
        settings.max_requests = max_requests;
        settings.driven = true;
        match self.subject.open(&settings) {
            Ok((context, Some(driver))) => (Context::new(context, &self.meter), driver),
            Ok((_, None)) => skip("this backend has no driver"),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => skip(error.to_string()),
            Err(error) => panic!("the backend opens: {error}"),
        }
    }

    /// Ends a case that counts what a process has, where the event loop has some of it.
    #[cfg(target_os = "linux")]
    pub(crate) fn needs_no_event_loop(&self) {
        if self.subject.is_driven() {
            skip("the event loop keeps its drivers");
        }
    }

    /// Ends a case about how long a call takes, where it takes as long as the system takes.
    #[cfg(target_os = "linux")]
    pub(crate) fn needs_short_calls(&self) {
        if self.subject.is_synchronous() {
            skip("the system carries operations out in the call that submits them");
        }
    }

    /// How long calls take does not count from now on, because the case itself makes them slow.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_slow_itself(&self) {
        self.meter.ignore();
    }

    /// A name that no other case has, in this process.
    #[cfg(target_os = "linux")]
    pub(crate) fn name(&self) -> String {
        self.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A new file with this content, open for reading and writing.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> SharedFd {
        let path = self.path(name);
        fs::write(&path, content).expect("a file for the case");
        open(&path)
    }

    /// What a file has now.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file of the case")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // Windows keeps a directory whose files are still open; the system's cleaning takes it later.
        let _kept = fs::remove_dir_all(&self.dir);
    }
}

/// An existing file, open for reading and writing.
pub(crate) fn open(path: &Path) -> SharedFd {
    File::options().read(true).write(true).open(path).expect("the file of the case opens").into()
}
