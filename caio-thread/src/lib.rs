//! The portable thread pool backend of the caio asynchronous file I/O library.
//!
//! [`ThreadPool`] makes a context that works on every system. The other backends borrow two routes
//! from here for what their kernel interface cannot do asynchronously: [`attempt`], which finishes
//! an operation in its caller's thread where that takes no waiting, and [`Pool`], which carries it
//! out in a worker.
//!
//! The way of an operation through the pool, file by file:
//!
//! 1. `linux/inline.rs`: a page cache hit is copied on the spot, without a lock and without the
//!    pool;
//! 2. `routes.rs`: else its class decides which way it takes;
//! 3. `shared.rs`, `queue.rs`: it is queued, and a worker is woken or started if none is about to
//!    look. Buffered writes to one file are carried out one after the other, and so are transfers
//!    at its own position; syncs of one file share a system call;
//! 4. `worker.rs`: a worker takes it, and searches a little for the next before it sleeps;
//! 5. `linux/syscalls.rs`, `portable/syscalls.rs`: the system call;
//! 6. `waits/`: what may wait for ever, on a pipe, a socket or a device, waits here instead of in a
//!    worker;
//! 7. `mailbox.rs`: where an external event loop takes completions, they wait here for it.
//!
//! The portable implementation is the only one on systems other than Linux, and selectable there.
//! It has no unsafe code. On Unix it treats pipes, sockets and devices as the other one does, but
//! cannot ask a pipe or a device not to wait: a worker reads it after it polled readable. If
//! another process has taken the data in between, that worker waits. On Linux this can happen with
//! a terminal, and with a pipe that has a name where `/proc` is not mounted.
//!
//! On Windows a read of a pipe or a console is a blocking call in a thread of its own, of at most
//! 64. It cannot be ended: its buffer comes back when there is something to read. What it reads for
//! a future that was dropped is lost.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
mod linux;
mod portable;

#[allow(unsafe_code)]
mod backend;
mod builder;
#[cfg(unix)]
mod driver;
mod mailbox;
mod platform;
mod pool;
mod probe;
mod queue;
mod requests;
mod routes;
mod settings;
mod shared;
mod syscalls;
#[cfg_attr(windows, path = "waits/windows.rs")]
mod waits;
mod worker;

pub use builder::{Builder, ThreadPool};
pub use mailbox::Mailbox;
pub use platform::attempt;
pub use pool::{Counters, Pool};
pub use settings::PoolSettings;

use caio_core::{BackendKind, Candidate};

caio_core::announce! { Candidate { kind: BackendKind::Thread, open: probe::open } }

/// Public types can be sent and shared.
const _: fn() = || {
    fn send_sync<T: Send + Sync>() {}
    send_sync::<Builder>();
    send_sync::<Mailbox>();
    send_sync::<Pool>();
    send_sync::<PoolSettings>();
};
