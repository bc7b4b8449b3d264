//! The themes that only some systems have: those of systems that are no Unix.

use super::Case;

/// These themes.
pub(super) const THEMES: &[&[Case]] = &[];
