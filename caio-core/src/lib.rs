//! Executor-agnostic operations, buffers and in-flight table of the caio library for asynchronous
//! file I/O.
//!
//! Users of a backend meet [`Context`], whose methods make [`Operation`]s; writers of a backend
//! implement [`Backend`]. The way of an operation, file by file:
//!
//! 1. `context.rs`: a call such as [`Context::write`] makes an `Operation`, which owns the buffer
//!    and a clone of the [`SharedFd`];
//! 2. `operation/`: its first poll describes it as an [`Op`] and offers it to [`Backend::attempt`],
//!    which may finish it at once;
//! 3. `table/`: else it is entered in the table of operations in flight, where it runs or waits for
//!    room;
//! 4. `request.rs`: the backend is given a [`Request`], and submits it to a kernel or a worker;
//! 5. `completer.rs`: whoever sees the completion delivers it through the [`Completer`];
//! 6. `shared.rs`: its room goes to the operation that waited longest, and its task is woken,
//!    without a lock;
//! 7. `payload.rs`: the next poll turns the completion into the caller's result, and the buffer
//!    comes back.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod buf;
#[allow(unsafe_code)]
mod cancel;
#[allow(unsafe_code)]
mod completer;
#[allow(unsafe_code)]
mod fd;
#[allow(unsafe_code)]
mod op;
#[allow(unsafe_code)]
mod operation;
#[allow(unsafe_code)]
mod payload;
#[allow(unsafe_code)]
mod request;

#[allow(unsafe_code)]
mod backend;
mod batch;
mod close;
mod context;
mod drain;
mod driver;
mod error;
mod handle;
mod key;
mod limits;
mod platform;
mod select;
mod shared;
mod stats;
mod sync;
mod table;
mod timer;
mod trace;

#[doc(hidden)]
pub mod policy;
pub mod support;

pub use backend::{Backend, BackendKind, Candidate, Drive, Flush, Opened, Settings, Submitted};
pub use batch::{Batch, MAX_BATCH};
pub use buf::{AlignedBuf, BufResult, IoBuf, IoBufMut, Slice};
pub use cancel::{Cancel, Outcome};
pub use completer::{Completer, Completion};
pub use context::Context;
pub use driver::Driver;
pub use error::{errno, is_closed, is_inherited};
pub use fd::{Fact, FileKind, SharedFd};
pub use key::Key;
pub use limits::{DEFAULT_MAX_REQUESTS, MAX_POOL_SIZE, MAX_REQUESTS_LIMIT};
pub use op::{IoPriority, MAX_BUFFERS, MAX_INLINE_BYTES, MAX_TRANSFER, NO_OFFSET, Op, OpClass, Region, Regions};
pub use operation::Operation;
pub use payload::{Fsync, Payload, Read, ReadInto, Readv, Write, Writev};
pub use request::{Attempt, Attempted, Finished, Request, View};
pub use select::{Builder, Probe, Refusal, Refusals, probe};
pub use stats::Stats;

#[doc(hidden)]
pub use inventory;

/// Public types can be sent and shared.
const _: fn() = || {
    fn send_sync<T: Send + Sync>() {}
    send_sync::<Context>();
    send_sync::<SharedFd>();
    send_sync::<Operation<Write<Vec<u8>>>>();
    send_sync::<Driver>();
    send_sync::<Batch>();
    send_sync::<AlignedBuf>();
    send_sync::<Completer>();
};
