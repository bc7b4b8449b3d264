//! Where tests have their files, and what is in them.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The directory for a test's files: `CAIO_TEST_DIR` where it is set, else the one that cargo made for the tests of
/// this crate, else the system's temporary directory.
///
/// A macro, because cargo tells its directory only while it compiles the test.
#[macro_export]
macro_rules! test_dir {
    () => {
        $crate::kit::test_dir(option_env!("CARGO_TARGET_TMPDIR"))
    };
}

/// As [`test_dir!`](crate::test_dir), with the directory that cargo made. A test program that was moved to another
/// machine, or to another user, does without.
///
/// # Panics
/// If `CAIO_TEST_DIR` cannot be made.
#[must_use]
pub fn test_dir(built: Option<&str>) -> PathBuf {
    if let Some(asked) = env::var_os("CAIO_TEST_DIR").map(PathBuf::from) {
        fs::create_dir_all(&asked).unwrap_or_else(|error| panic!("CAIO_TEST_DIR={}: {error}", asked.display()));
        return asked;
    }
    let can_be_used = |dir: &PathBuf| tempfile::tempfile_in(dir).is_ok();
    built.map(PathBuf::from).filter(can_be_used).unwrap_or_else(env::temp_dir)
}

/// A new file without a name in this directory.
///
/// # Panics
/// If there can be none.
#[must_use]
pub fn disk_file(dir: &Path) -> File {
    tempfile::tempfile_in(dir).unwrap_or_else(|error| panic!("a file in {}: {error}", dir.display()))
}

/// Content that differs from place to place.
#[must_use]
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + index / 251 + index / 65_521) as u8).collect()
}
