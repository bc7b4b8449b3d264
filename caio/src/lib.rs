//! Asynchronous file I/O from any executor: reads, writes and syncs that never block your threads.
//!
//! A [`Context`] carries operations out over io_uring, Linux kernel AIO or a pool of threads, whichever works where it runs.
//! Its futures need no runtime, and run the same under tokio, smol, async-executor, `futures::executor::block_on` or a loop of
//! your own.
//!
//! ```
//! use caio::{Context, SharedFd};
//!
//! # fn main() -> std::io::Result<()> {
//! # futures::executor::block_on(async {
//! let ctx = Context::new()?;
//! let fd: SharedFd = tempfile::tempfile()?.into();
//! let (a, b) = futures::join!(ctx.write(b"Hello from ", &fd, 0), ctx.write(b"async world", &fd, 11));
//! assert_eq!((a.0?, b.0?), (11, 11));
//! ctx.fdsync(&fd).await?;
//! assert_eq!(ctx.read(32, &fd, 0).await?, b"Hello from async world");
//! # Ok(()) })
//! # }
//! ```
//!
//! # The crates
//!
//! | crate | what it is |
//! |---|---|
//! | `caio` | this one: re-exports the others behind Cargo features, and chooses among them at run time |
//! | [`caio_core`](https://docs.rs/caio-core) | operations, buffers, the table of operations in flight, the traits of a backend |
//! | [`caio_uring`](https://docs.rs/caio-uring) | the io_uring backend |
//! | [`caio_aio`](https://docs.rs/caio-aio) | the Linux kernel AIO backend |
//! | [`caio_thread`](https://docs.rs/caio-thread) | the thread pool backend, and the routes that the other two borrow from it |
//! | [`caio_sys`](https://docs.rs/caio-sys) | the system calls |
//!
//! Whoever wants one backend alone depends on its crate; all of them make the same [`Context`].
//!
//! # The way of an operation
//!
//! 1. A call such as [`Context::write`] makes an [`Operation`] that owns the buffer and a clone of the [`SharedFd`].
//! 2. Its first poll offers it to the backend, which finishes it at once where that takes no longer than a copy: a read of
//!    cached bytes.
//! 3. Otherwise it is entered in the table of operations in flight, and waits there for room if there is none.
//! 4. The backend submits it to a ring, to the kernel's AIO or to a worker.
//! 5. Whoever sees the completion enters it in the table, and wakes the task; no lock is held meanwhile.
//! 6. The next poll returns the result, and the buffer with it.
//!
//! # Choosing a backend
//!
//! [`Context::new`] takes the first that works of io_uring, kernel AIO and threads. [`Context::rejected`] tells which refused and why,
//! [`probe`] tells it of all, and the example `doctor` prints it with what to do. The variable `CAIO_IMPL` forces one (`uring`, `linux`
//! or `aio`, `thread`, `python` for the portable threads); so does the file `/etc/caio/default_implementation`, or the one that
//! `CAIO_DEFAULT_IMPLEMENTATION` names. A forced backend never falls back.
//!
//! # Order and durability
//!
//! Operations are unordered: two that touch the same bytes, or a write and a sync, happen in any order unless one is awaited
//! before the other starts. [`Context::fdsync`] covers the writes that were awaited before it.
#![forbid(unsafe_code)]

#[cfg(not(any(feature = "uring", feature = "aio", feature = "thread")))]
compile_error!("caio needs at least one backend: enable one of the Cargo features `uring`, `aio` and `thread`");

// Linking a backend in is what makes it a candidate: each announces itself to `Context::builder`.
#[cfg(all(feature = "aio", target_os = "linux"))]
pub use caio_aio as aio;
#[cfg(feature = "thread")]
pub use caio_thread as thread;
#[cfg(all(
    feature = "uring",
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "loongarch64",
        target_arch = "powerpc64"
    )
))]
pub use caio_uring as uring;

pub use caio_core::{
    AlignedBuf, BackendKind, Batch, BufResult, Builder, Cancel, Context, DEFAULT_MAX_REQUESTS, Driver, FileKind, IoBuf,
    IoBufMut, IoPriority, MAX_BATCH, MAX_BUFFERS, MAX_POOL_SIZE, MAX_REQUESTS_LIMIT, MAX_TRANSFER, NO_OFFSET,
    Operation, Outcome, Probe, Refusal, Refusals, SharedFd, Slice, Stats, errno, is_closed, is_inherited, probe,
};
// The kinds of operations, to name the type of one: `Operation<ReadInto<Vec<u8>>>`.
pub use caio_core::{Fsync, Payload, Read, ReadInto, Readv, Write, Writev};
