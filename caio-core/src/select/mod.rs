//! Choosing a backend, at run time, among those that are linked in.

mod builder;
mod env;
mod probe;
mod refusal;

pub use builder::Builder;
pub(crate) use env::Choice;
pub use probe::{Probe, probe};
pub use refusal::{Refusal, Refusals};
