//! The themes that only some systems have: those of Linux.

use super::{Case, devices, direct, fork, streams};

/// These themes.
pub(super) const THEMES: &[&[Case]] = &[devices::CASES, direct::CASES, streams::CASES, fork::CASES];
