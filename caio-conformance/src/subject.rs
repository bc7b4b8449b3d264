//! A backend under test.

use caio_core::{Context, Driver, Settings};
use std::fmt;
use std::io;
use std::sync::Arc;

/// How a context is opened; with a driver where [`Settings::driven`] asks for one.
type Open = dyn Fn(&Settings) -> io::Result<(Context, Option<Driver>)> + Send + Sync;

/// A backend under test.
#[derive(Clone)]
pub struct Subject {
    /// The first part of its tests' names.
    name: &'static str,
    /// Opens a context with it, and with no other.
    open: Arc<Open>,
    /// Which cases it is asked, by name.
    asked: fn(&str) -> bool,
    /// Whether an event loop of the suite's takes all completions.
    driven: bool,
    /// Whether the system carries operations out in the call that submits them.
    synchronous: bool,
}

impl Subject {
    /// A backend by the function that opens a context with it, and with no other. The function gives a
    /// driver if [`Settings::driven`] asks for one and the system has one.
    pub fn new(
        name: &'static str,
        open: impl Fn(&Settings) -> io::Result<(Context, Option<Driver>)> + Send + Sync + 'static,
    ) -> Self {
        Self { name, open: Arc::new(open), asked: |_| true, driven: false, synchronous: false }
    }

    /// Asks it only the cases whose name, as `theme::case`, the function accepts.
    #[must_use]
    pub fn only(mut self, asked: fn(&str) -> bool) -> Self {
        self.asked = asked;
        self
    }

    /// The same with a driver, which an event loop of the suite's waits for: no thread of the backend takes completions.
    #[must_use]
    pub fn driven(mut self, name: &'static str) -> Self {
        (self.name, self.driven) = (name, true);
        self
    }

    /// Says that the system carries operations out in the call that submits them, as the kernel does with what is not meant for
    /// kernel AIO: then calls may take as long as they do.
    #[must_use]
    pub fn synchronous(mut self) -> Self {
        self.synchronous = true;
        self
    }

    /// Whether the system carries operations out in the call that submits them.
    pub(crate) fn is_synchronous(&self) -> bool {
        self.synchronous
    }

    /// Whether an event loop of the suite's takes all completions.
    pub(crate) fn is_driven(&self) -> bool {
        self.driven
    }

    /// The first part of its tests' names.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is asked a case.
    pub(crate) fn is_asked(&self, case: &str) -> bool {
        (self.asked)(case)
    }

    /// Opens a context.
    pub(crate) fn open(&self, settings: &Settings) -> io::Result<(Context, Option<Driver>)> {
        (self.open)(settings)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}
