//! No events.

use crate::backend::BackendKind;
use crate::select::Refusal;

/// A context has its backend.
pub(crate) fn opened(_kind: BackendKind, _max_requests: usize) {}

/// A backend cannot be used.
pub(crate) fn refused(_refusal: &Refusal) {}

/// A shutdown has given up.
pub(crate) fn gave_up(_operations: usize) {}
