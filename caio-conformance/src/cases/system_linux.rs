//! The themes that only some systems have: those of Linux.

use super::{Case, devices, direct, driver, fork, full, streams, waiting, wakers};

/// These themes.
pub(super) const THEMES: &[&[Case]] = &[
    devices::CASES,
    direct::CASES,
    streams::CASES,
    waiting::CASES,
    full::CASES,
    wakers::CASES,
    driver::CASES,
    fork::CASES,
];
