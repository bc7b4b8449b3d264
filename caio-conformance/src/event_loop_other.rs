//! An event loop outside of the library: there are no drivers on this system.

use caio_core::Driver;

/// Has nothing to do.
#[derive(Debug, Default)]
pub(crate) struct EventLoop;

impl EventLoop {
    /// There is no such driver.
    pub(crate) fn add(&self, _driver: Driver) {}
}
