//! A theme that this system has no cases of.

use super::Case;

/// None.
pub(super) const CASES: &[Case] = &[];
