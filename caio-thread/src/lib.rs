//! The portable thread pool backend of the caio asynchronous file I/O library.
//!
//! [`ThreadPool`] makes a context that works on every system. The other backends borrow two routes from here for what their
//! kernel interface cannot do asynchronously: [`attempt`], which finishes an operation in its caller's thread where that
//! takes no waiting, and [`Pool`], which carries it out in a worker.
//!
//! The way of an operation through the pool, file by file:
//!
//! 1. `linux/inline.rs`: a page cache hit is copied on the spot, without a lock and without the pool;
//! 2. `pool.rs`: else it is queued, and a worker is woken or started if none is about to look;
//! 3. `queue.rs`: buffered writes to one file share a lane, syncs of one file share a system call;
//! 4. `worker.rs`: a worker takes it, and waits a little for the next before it sleeps;
//! 5. `linux/carry.rs`, `portable/carry.rs`: the system call;
//! 6. `linux/streams.rs`, `portable/streams.rs`: what has nothing to read yet waits here instead of in a worker;
//! 7. `mailbox.rs`: where somebody else's event loop takes completions, they wait here for it.
//!
//! The portable implementation, the only one on systems other than Linux and selectable there, needs nothing but `std`
//! and no unsafe code. A blocking read of a stream cannot be interrupted with that: each stream that is being read has a thread of its
//! own, which stays in its read after a cancel; the caller's buffer comes back at once, and bytes that arrive later are
//! kept for the next read of that [`SharedFd`](caio_core::SharedFd), which stays open meanwhile. A stream's write that has begun cannot be cancelled.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
mod linux;
mod portable;

mod backend;
mod builder;
mod carrier;
#[cfg(unix)]
mod driver;
mod mailbox;
mod patience;
mod platform;
mod pool;
mod probe;
mod queue;
mod settings;
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
