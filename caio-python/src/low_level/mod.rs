//! Contexts and operations of the low level, one pair a backend.

mod dispatcher;
mod operation;
mod polling;
mod queue;
mod thread;

pub(crate) use dispatcher::exiting;
pub(crate) use operation::{AioOperation, LowOperation, Outcome, ThreadOperation, UringOperation};
pub(crate) use polling::{AioContext, UringContext};
pub(crate) use thread::ThreadContext;
