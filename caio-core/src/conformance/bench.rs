//! What a case is given: a backend to open, and a directory of its own.

use super::report::Skip;
use crate::{Context, Settings, SharedFd, errno};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a context is opened.
type Open = dyn Fn(&Settings) -> io::Result<Context> + Send + Sync;

/// A backend under test.
#[derive(Clone)]
pub struct Subject {
    /// Its name in the report.
    name: &'static str,
    /// Opens a context with it, and with no other.
    open: Arc<Open>,
    /// Whether it uses nothing but `std`: then a transfer that has nothing to do yet cannot be taken back.
    portable: bool,
    /// Which cases it is asked, by name.
    asked: fn(&str) -> bool,
}

impl Subject {
    /// A backend by the function that opens a context with it, and with no other.
    pub fn new(name: &'static str, open: impl Fn(&Settings) -> io::Result<Context> + Send + Sync + 'static) -> Self {
        Self { name, open: Arc::new(open), portable: false, asked: |_| true }
    }

    /// Says that it uses nothing but `std`, which cannot take back a transfer that waits for a pipe. [`Settings::portable`] is then set.
    #[must_use]
    pub fn portable(mut self) -> Self {
        self.portable = true;
        self
    }

    /// Asks it only the cases whose name, as `theme::case`, the function accepts.
    #[must_use]
    pub fn only(mut self, asked: fn(&str) -> bool) -> Self {
        self.asked = asked;
        self
    }

    /// Whether it is asked a case.
    pub(super) fn is_asked(&self, case: &str) -> bool {
        (self.asked)(case)
    }

    /// Its name in the report.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).field("portable", &self.portable).finish_non_exhaustive()
    }
}

/// One behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its theme and name.
    pub name: &'static str,
    /// Shows it, or panics.
    pub run: fn(&Bench),
}

/// The cases of a theme: each has the name of its function.
macro_rules! cases {
    ($theme:literal: $($case:ident),+ $(,)?) => {
        /// The cases of this theme.
        pub(super) const CASES: &[$crate::conformance::Case] = &[
            $($crate::conformance::Case { name: concat!($theme, "::", stringify!($case)), run: $case },)+
        ];
    };
}
pub(super) use cases;

/// What a case is given: a backend to open, and a directory of its own, which is removed with it.
#[derive(Debug)]
pub struct Bench {
    /// The backend under test.
    subject: Subject,
    /// The directory.
    dir: PathBuf,
}

impl Bench {
    /// Makes the directory.
    pub(super) fn new(subject: &Subject, case: &str) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let base = std::env::var_os("CAIO_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("caio-{}-{}-{number}-{}", subject.name, std::process::id(), case.replace("::", "-"));
        let dir = base.join(name);
        fs::create_dir_all(&dir)?;
        Ok(Self { subject: subject.clone(), dir })
    }

    /// A context with the default settings.
    pub(super) fn context(&self) -> Context {
        self.bounded(crate::DEFAULT_MAX_REQUESTS)
    }

    /// A context with a bound on operations in flight.
    pub(super) fn bounded(&self, max_requests: usize) -> Context {
        self.open(Settings { max_requests, ..Settings::default() }).expect("the backend opens")
    }

    /// A context with these settings.
    pub(super) fn open(&self, mut settings: Settings) -> io::Result<Context> {
        settings.portable |= self.is_portable();
        (self.subject.open)(&settings)
    }

    /// Whether the backend uses nothing but `std`.
    pub(super) fn is_portable(&self) -> bool {
        self.subject.portable
    }

    /// A path in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A new file with this content, open for reading and writing.
    pub(super) fn file(&self, name: &str, content: &[u8]) -> SharedFd {
        let path = self.path(name);
        fs::write(&path, content).expect("a file for the case");
        open(&path)
    }

    /// What a file has now.
    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file of the case")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Windows keeps a directory whose files are still open; the system's cleaning takes it later.
        let _kept = fs::remove_dir_all(&self.dir);
    }
}

/// An existing file, open for reading and writing.
pub(super) fn open(path: &Path) -> SharedFd {
    File::options().read(true).write(true).open(path).expect("the file of the case opens").into()
}

/// Ends the case: it cannot be tried here.
pub(super) fn skip(reason: impl Into<String>) -> ! {
    std::panic::resume_unwind(Box::new(Skip(reason.into())))
}

/// Content that differs from place to place.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + index / 251 + index / 65_521) as u8).collect()
}

/// Both failed, in the same way.
#[track_caller]
pub(super) fn assert_same_error<T, U>(what: &str, ours: io::Result<T>, plain: io::Result<U>) {
    let (Err(ours), Err(plain)) = (ours.map(drop), plain.map(drop)) else {
        panic!("{what}: both were to fail");
    };
    let pair = |error: &io::Error| (error.kind(), errno(error));
    assert_eq!(pair(&ours), pair(&plain), "{what}: ours is {ours}, that of the system call {plain}");
}

/// It failed with this kind of error.
#[track_caller]
pub(super) fn assert_kind<T>(what: &str, result: io::Result<T>, kind: io::ErrorKind) {
    match result.map(drop) {
        Ok(()) => panic!("{what}: it was to fail with {kind:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{what}: {error}"),
    }
}
