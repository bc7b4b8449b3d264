//! The themes that only some systems have: those of Unix systems other than Linux.

use super::{Case, streams, wakers};

/// These themes.
pub(super) const THEMES: &[&[Case]] = &[streams::CASES, wakers::CASES];
