//! The themes that only some systems have: those of Linux.

use super::{Case, devices, direct, fork, full, streams, waiting};

/// These themes.
pub(super) const THEMES: &[&[Case]] =
    &[devices::CASES, direct::CASES, streams::CASES, waiting::CASES, full::CASES, fork::CASES];
