//! Comparing errors.

use caio_core::errno;
use std::io;

/// Both failed, in the same way.
///
/// # Panics
/// If one succeeded, or their kinds or numbers differ.
#[track_caller]
pub fn assert_same_error<T, U>(what: &str, ours: io::Result<T>, plain: io::Result<U>) {
    let (Err(ours), Err(plain)) = (ours.map(drop), plain.map(drop)) else {
        panic!("{what}: both were to fail");
    };
    let pair = |error: &io::Error| (error.kind(), errno(error));
    assert_eq!(pair(&ours), pair(&plain), "{what}: ours is {ours}, that of the system call {plain}");
}

/// It failed with this kind of error.
///
/// # Panics
/// If it did not.
#[track_caller]
pub fn assert_kind<T>(what: &str, result: io::Result<T>, kind: io::ErrorKind) {
    match result.map(drop) {
        Ok(()) => panic!("{what}: it was to fail with {kind:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{what}: {error}"),
    }
}
