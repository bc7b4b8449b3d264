//! The themes that only some systems have: those of Unix systems other than Linux.

use super::{Case, streams, times, wakers};

/// These themes.
pub(super) const THEMES: &[&[Case]] = &[streams::CASES, times::CASES, wakers::CASES];
