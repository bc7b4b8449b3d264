//! The behaviours, theme by theme.

mod bounds;
mod buffers;
mod control;
#[allow(unsafe_code)]
mod discarded;
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
mod driver;
#[cfg(target_os = "linux")]
mod fork;
#[cfg(target_os = "linux")]
mod full;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod guest;
#[cfg(target_os = "linux")]
mod order;
#[cfg(target_os = "linux")]
mod polls;
#[cfg(target_os = "linux")]
mod position;
#[cfg(target_os = "linux")]
mod records;
#[cfg(target_os = "linux")]
mod refused;
#[cfg(target_os = "linux")]
mod room;
#[cfg(target_os = "linux")]
mod sinks;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod sources;
#[cfg(unix)]
mod streams;
#[cfg(unix)]
mod times;
#[cfg(target_os = "linux")]
mod waiting;
#[cfg(unix)]
mod wakers;

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
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // elsewhere few cases need more than a thread
pub(crate) enum Company {
    /// With other cases, in other threads.
    Others,
    /// Alone: it forks, and its child would keep the others' descriptors open; or it needs much of the machine.
    Alone,
    /// In a process of its own, whose main thread runs it: it counts or changes what a process has.
    Process,
    /// As before, as a user without rights.
    Nobody,
}

/// The cases of a theme: each has the name of its function. After `alone`, `process` and `nobody` come those that may
/// not run beside others.
macro_rules! cases {
    ($theme:literal: $($case:ident),* $(,)? $(; $company:ident: $($other:ident),+ $(,)?)*) => {
        /// The cases of this theme.
        pub(super) const CASES: &[$crate::cases::Case] = &[
            $($crate::cases::Case {
                name: concat!($theme, "::", stringify!($case)),
                company: $crate::cases::company!(others),
                run: $case,
            },)*
            $($($crate::cases::Case {
                name: concat!($theme, "::", stringify!($other)),
                company: $crate::cases::company!($company),
                run: $other,
            },)+)*
        ];
    };
}
/// With whom the cases after a word may run.
macro_rules! company {
    (others) => {
        $crate::cases::Company::Others
    };
    (alone) => {
        $crate::cases::Company::Alone
    };
    (process) => {
        $crate::cases::Company::Process
    };
    (nobody) => {
        $crate::cases::Company::Nobody
    };
}
use {cases, company};

/// All cases, theme by theme.
pub(crate) fn all() -> Vec<Case> {
    let themes: [&[Case]; 12] = [
        discarded::CASES,
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
