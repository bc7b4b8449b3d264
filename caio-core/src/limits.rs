//! Bounds that a context may have.

/// The bound on operations in flight where its user does not choose one.
///
/// ```
/// use caio_core::{DEFAULT_MAX_REQUESTS, Settings};
/// assert_eq!(Settings::default().max_requests, DEFAULT_MAX_REQUESTS);
/// ```
pub const DEFAULT_MAX_REQUESTS: usize = 256;

/// The largest bound on operations in flight: what one io_uring can be made for.
///
/// ```
/// use caio_core::{Context, MAX_REQUESTS_LIMIT};
/// let error = Context::builder().max_requests(MAX_REQUESTS_LIMIT + 1).build().unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// ```
pub const MAX_REQUESTS_LIMIT: usize = 32768;

/// The most threads of a pool.
///
/// ```
/// use caio_core::{Context, MAX_POOL_SIZE};
/// for threads in [0, MAX_POOL_SIZE + 1] {
///     let error = Context::builder().pool_size(threads).build().unwrap_err();
///     assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// }
/// ```
pub const MAX_POOL_SIZE: usize = 1024;
