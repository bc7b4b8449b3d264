//! Opening the backend. It works everywhere: only a driver can be refused, where no descriptor can be made for it.

use crate::backend::ThreadBackend;
use crate::{Pool, PoolSettings, platform};
use caio_core::{BackendKind, Completer, Opened, Refusal, Settings};
use std::io;
use std::sync::Arc;

/// Opens the backend as [`Context::builder`](caio_core::Context::builder) does.
pub(crate) fn open(settings: &Settings, completer: Completer) -> Result<Opened, Refusal> {
    open_with(settings, PoolSettings::default(), completer)
}

/// Opens it with settings of the pool's own. Those that both have are taken from the first.
pub(crate) fn open_with(settings: &Settings, mut pool: PoolSettings, completer: Completer) -> Result<Opened, Refusal> {
    if let Some(size) = settings.pool_size {
        if size == 0 {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "pool_size must be at least 1");
            return Err(Refusal::new(BackendKind::Thread, "pool_size", error, "choose at least one thread"));
        }
        pool.max_threads = size;
    }
    pool.portable = settings.portable;
    let mut driver = None;
    if settings.driven {
        let driven = platform::driver(&completer).map_err(|error| {
            Refusal::new(
                BackendKind::Thread,
                "the driver's descriptor",
                error,
                "raise the limit on open files (ulimit -n)",
            )
        })?;
        if let Some((drive, mailbox)) = driven {
            driver = Some(drive);
            pool.mailbox = Some(mailbox);
        }
    }
    let attempt = if settings.portable { platform::miss } else { platform::attempt };
    let backend = Arc::new(ThreadBackend { pool: Pool::new(pool, completer), attempt });
    Ok(Opened { backend, max_requests: settings.max_requests, driver })
}
