//! Opening the backend: whether it can be used here, and what to do where it cannot.

use crate::backend::AioBackend;
use crate::driver::AioDrive;
use crate::engine::{Engine, Parts};
use crate::reaper::Reaper;
use crate::ring::{self, Ring};
use crate::route::Routes;
use caio_core::{BackendKind, Completer, Drive, Opened, Refusal, Settings};
use caio_sys::aio::{AioContext, io_destroy, io_getevents, io_setup};
use caio_sys::errno::errno_name;
use caio_sys::eventfd::EventFd;
use caio_thread::PoolSettings;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The fewest requests that are worth a context, where more were asked for.
const FEWEST: usize = 8;

/// Opens the backend, or says why it cannot be used here.
pub(crate) fn open(settings: &Settings, completer: Completer, routes: Routes) -> Result<Opened, Refusal> {
    let pool = pool_settings(settings)?;
    let completed = EventFd::new().map_err(|error| refuse("eventfd", error))?;
    let reaper = Reaper::new().map_err(|error| refuse("eventfd", error))?;
    let (context, max_requests) = set_up(settings.max_requests).map_err(|error| refuse("io_setup", error))?;
    if let Err((step, error)) = try_out(context) {
        drop(io_destroy(context));
        return Err(refuse(step, error));
    }
    let ring = Ring::new(context, completed, max_requests);
    let driven = settings.driven;
    let engine = Engine::new(Parts { ring, pool, completer, routes, reaper, driven, max_requests });
    let driver = driven.then(|| Box::new(AioDrive::new(Arc::clone(&engine))) as Box<dyn Drive>);
    Ok(Opened { backend: Arc::new(AioBackend::new(engine)), max_requests, driver })
}

/// What the pool is made with.
fn pool_settings(settings: &Settings) -> Result<PoolSettings, Refusal> {
    let mut pool = PoolSettings::default();
    pool.portable = settings.portable;
    match settings.pool_size {
        Some(0) => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "pool_size must be at least 1");
            return Err(Refusal::new(BackendKind::Aio, "pool_size", error, "choose at least one thread"));
        }
        Some(size) => pool.max_threads = size,
        None => {}
    }
    Ok(pool)
}

/// Makes a context for as many requests as were asked for, or as the system has to give.
fn set_up(asked: usize) -> io::Result<(AioContext, usize)> {
    let mut depth = asked;
    loop {
        match io_setup(u32::try_from(depth).unwrap_or(u32::MAX)) {
            Ok(context) => return Ok((context, depth)),
            Err(error) if depth > FEWEST && is_shortage(&error) => depth = (depth / 2).max(FEWEST),
            Err(error) => return Err(error),
        }
    }
}

/// Makes the other calls, which a seccomp filter may forbid as well, with nothing to do.
fn try_out(context: AioContext) -> Result<(), (&'static str, io::Error)> {
    ring::submit_nothing(context).map_err(|error| ("io_submit", error))?;
    io_getevents(context, 0, &mut [], Some(Duration::ZERO)).map(drop).map_err(|error| ("io_getevents", error))
}

/// Whether a smaller context might succeed.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error().and_then(errno_name), Some("EAGAIN" | "ENOMEM"))
}

/// A refusal, with what to do about it.
fn refuse(step: &'static str, error: io::Error) -> Refusal {
    let remedy = remedy(error.raw_os_error().and_then(errno_name));
    Refusal::new(BackendKind::Aio, step, error, remedy)
}

/// What to do about an error of a system call.
fn remedy(errno: Option<&'static str>) -> String {
    match errno {
        Some("EAGAIN") => format!(
            "the contexts of this system use {} of its {} AIO requests (fs.aio-nr, fs.aio-max-nr): raise the limit \
             (sysctl -w fs.aio-max-nr=1048576), lower max_requests, or make fewer contexts",
            limit("aio-nr"),
            limit("aio-max-nr"),
        ),
        Some("ENOSYS") => "this kernel was built without CONFIG_AIO, or a sandbox such as gVisor has no kernel AIO: \
             use the thread backend"
            .to_owned(),
        Some("EPERM" | "EACCES") => "a seccomp filter forbids kernel AIO: allow io_setup, io_submit, io_getevents and \
             io_destroy in the container's profile (Docker and Podman: --security-opt seccomp=PROFILE; Kubernetes: \
             securityContext.seccompProfile), or use the thread backend"
            .to_owned(),
        Some("ENOMEM") => "the system or this container's memory limit has no room for the requests: lower \
             max_requests, or raise the limit"
            .to_owned(),
        Some("EMFILE" | "ENFILE") => {
            "too many files are open: close some, or raise RLIMIT_NOFILE (ulimit -n) or fs.file-max".to_owned()
        }
        _ => "see io_setup(2), and use the thread backend meanwhile".to_owned(),
    }
}

/// A limit of the system, for the person who reads about it.
fn limit(name: &str) -> String {
    fs::read_to_string(format!("/proc/sys/fs/{name}")).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
}
