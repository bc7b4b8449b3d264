//! What Linux offers beyond other systems.

mod bell;
#[allow(unsafe_code)]
mod inline;
#[allow(unsafe_code)]
mod streams;
#[allow(unsafe_code)]
mod syscalls;

pub(crate) use bell::Bell;
pub use inline::attempt;
pub(crate) use streams::LinuxStreams;
pub(crate) use syscalls::Linux;
