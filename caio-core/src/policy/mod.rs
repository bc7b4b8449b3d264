//! How long to wait, and in which way: decisions without a lock or a system call.
//!
//! Each is a function of numbers, and of a clock that its caller passes in. The mechanism is in
//! `operation/`, and in the workers of `caio-thread`.

mod adaptive;
pub(crate) mod coop;
mod depth;
mod wait;

pub use adaptive::Adaptive;
pub(crate) use depth::Depth;
pub(crate) use wait::{Lease, Next, WaitPolicies};

use std::time::Duration;

/// The longest that a thread or a future stays busy on behalf of others before it sleeps: about
/// what a sleep and a wake-up cost.
pub const MAX_BUSY: Duration = Duration::from_micros(50);
