//! The behaviours, theme by theme.

mod bounds;
mod buffers;
mod control;
mod errors;
mod lifetime;
mod offsets;
mod stats;
mod sync;
mod threads;
mod transfer;
mod vectored;

#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod direct;
#[cfg(target_os = "linux")]
mod fork;
#[cfg(unix)]
mod streams;

#[cfg_attr(target_os = "linux", path = "system_linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "system_unix.rs")]
#[cfg_attr(not(unix), path = "system_other.rs")]
mod system;

use crate::fixture::Fixture;

/// One behaviour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its theme and name.
    pub(crate) name: &'static str,
    /// With whom it may run.
    pub(crate) company: Company,
    /// Shows it, or panics.
    pub(crate) run: fn(&Fixture),
}

/// With whom a case may run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Company {
    /// With other cases, in other threads.
    Others,
    /// Alone: it forks, and its child would keep the others' descriptors open; or it changes or counts what the
    /// process has.
    Alone,
}

/// The cases of a theme: each has the name of its function. After `alone` come those that run alone.
macro_rules! cases {
    ($theme:literal: $($case:ident),* $(,)? $(; alone: $($alone:ident),+ $(,)?)?) => {
        /// The cases of this theme.
        pub(super) const CASES: &[$crate::cases::Case] = &[
            $($crate::cases::Case {
                name: concat!($theme, "::", stringify!($case)),
                company: $crate::cases::Company::Others,
                run: $case,
            },)*
            $($($crate::cases::Case {
                name: concat!($theme, "::", stringify!($alone)),
                company: $crate::cases::Company::Alone,
                run: $alone,
            },)+)?
        ];
    };
}
use cases;

/// All cases, theme by theme.
pub(crate) fn all() -> Vec<Case> {
    let themes: [&[Case]; 11] = [
        transfer::CASES,
        vectored::CASES,
        offsets::CASES,
        sync::CASES,
        errors::CASES,
        buffers::CASES,
        control::CASES,
        bounds::CASES,
        lifetime::CASES,
        threads::CASES,
        stats::CASES,
    ];
    [&themes, system::THEMES].concat().concat()
}
