//! Opening the backend: whether it can be used here.

use crate::driver::AioDriver;
use crate::engine::Engine;
use crate::reaper::Reaper;
use crate::refusal;
use crate::ring::{self, Ring};
use crate::routes::Routes;
use caio_core::{BackendKind, Completer, Drive, Opened, Refusal, Settings};
use caio_sys::aio::{AioContext, io_destroy, io_getevents, io_setup};
use caio_sys::errno::Meaning;
use caio_sys::eventfd::EventFd;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The fewest requests that are worth a context, where more were asked for.
const MIN_REQUESTS: usize = 8;

/// Opens the backend with what all backends are opened with.
pub(crate) fn open(settings: &Settings, completer: Completer) -> Result<Opened, Refusal> {
    open_with(settings, completer, Routes::default())
}

/// Opens the backend, or says why it cannot be used here.
pub(crate) fn open_with(settings: &Settings, completer: Completer, routes: Routes) -> Result<Opened, Refusal> {
    let completed = EventFd::new().map_err(|error| refusal::of_call("eventfd", error))?;
    let reaper = Reaper::new().map_err(|error| refusal::of_call("eventfd", error))?;
    let (context, max_requests) = setup(settings.max_requests).map_err(|error| refusal::of_call("io_setup", error))?;
    if let Err((step, error)) = try_out(context) {
        drop(io_destroy(context));
        return Err(refusal::of_call(step, error));
    }
    let ring = Ring::new(context, completed, max_requests);
    let engine = Engine::new(settings, completer, ring, reaper, routes);
    let driver = settings.driven.then(|| Arc::new(AioDriver::new(Arc::clone(&engine))) as Arc<dyn Drive>);
    Ok(Opened { backend: engine, kind: BackendKind::Aio, max_requests, driver })
}

/// Makes a context for as many requests as were asked for, or as the system has to give.
fn setup(asked: usize) -> io::Result<(AioContext, usize)> {
    let mut depth = asked;
    loop {
        match io_setup(u32::try_from(depth).unwrap_or(u32::MAX)) {
            Ok(context) => return Ok((context, depth)),
            Err(error)
                if depth > MIN_REQUESTS && matches!(Meaning::of(&error), Meaning::WouldBlock | Meaning::NoMemory) =>
            {
                depth = (depth / 2).max(MIN_REQUESTS);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes the other calls, which a seccomp filter may forbid as well, with nothing to do.
fn try_out(context: AioContext) -> Result<(), (&'static str, io::Error)> {
    ring::submit_nothing(context).map_err(|error| ("io_submit", error))?;
    io_getevents(context, 0, &mut [], Some(Duration::ZERO)).map(drop).map_err(|error| ("io_getevents", error))
}
