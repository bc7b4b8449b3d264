//! Opening the backend. It works everywhere: only a driver can be refused, where no descriptor can
//! be made for it.

use crate::backend::ThreadBackend;
use crate::{Pool, PoolSettings, platform};
use caio_core::{BackendKind, Completer, Opened, Refusal, Settings};
use std::sync::Arc;

/// Opens the backend as [`Context::builder`](caio_core::Context::builder) does.
pub(crate) fn open(settings: &Settings, completer: Completer) -> Result<Opened, Refusal> {
    open_with(settings, PoolSettings::default(), completer)
}

/// Opens it with settings of the pool's own. Those that both have are taken from the first.
pub(crate) fn open_with(settings: &Settings, mut pool: PoolSettings, completer: Completer) -> Result<Opened, Refusal> {
    pool.max_threads = settings.pool_size.unwrap_or(pool.max_threads);
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
    Ok(Opened { backend, kind: BackendKind::Thread, max_requests: settings.max_requests, driver })
}
