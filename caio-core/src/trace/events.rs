//! Events through the crate `tracing`.

use crate::backend::BackendKind;
use crate::select::Refusal;

/// A context has its backend.
pub(crate) fn opened(kind: BackendKind, max_requests: usize) {
    tracing::debug!(backend = kind.name(), max_requests, "context opened");
}

/// A backend cannot be used.
pub(crate) fn refused(refusal: &Refusal) {
    tracing::info!(
        backend = refusal.backend().name(),
        step = refusal.step(),
        errno = refusal.errno(),
        "backend refused: {refusal}"
    );
}

/// A shutdown has given up.
pub(crate) fn gave_up(operations: usize) {
    tracing::error!(operations, "shutdown gave up operations that the kernel has not ended; their memory is leaked");
}
