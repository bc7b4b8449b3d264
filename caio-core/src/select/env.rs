//! The environment's word in the choice of a backend; the one place that reads it.

use crate::backend::BackendKind;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;

/// Where the file lies that names a host's default.
const DEFAULT_FILE: &str = "/etc/caio/default_implementation";
/// How much of that file is read, in bytes.
const DEFAULT_FILE_LIMIT: u64 = 64 * 1024;

/// A backend as the environment names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Which one.
    pub(crate) kind: BackendKind,
    /// Whether only its portable implementation.
    pub(crate) portable: bool,
}

impl Choice {
    /// What a name means.
    pub(crate) fn from_name(name: &str) -> io::Result<Self> {
        let (kind, portable) = match name {
            "uring" => (BackendKind::Uring, false),
            "linux" | "aio" => (BackendKind::Aio, false),
            "thread" => (BackendKind::Thread, false),
            "python" => (BackendKind::Thread, true),
            _ => {
                let names = "uring, linux (or aio), thread, python (the portable threads)";
                return Err(io::Error::new(
                    ErrorKind::InvalidInput,
                    format!("{name:?} names no backend; known are {names}"),
                ));
            }
        };
        Ok(Self { kind, portable })
    }

    /// The backend that `CAIO_IMPL`, or else the host's default file, forces.
    pub(crate) fn from_environment() -> io::Result<Option<Self>> {
        let named = std::env::var_os("CAIO_IMPL").filter(|name| !name.is_empty());
        match named.map(OsString::into_string) {
            Some(Ok(name)) => {
                let explain = |error: io::Error| io::Error::new(error.kind(), format!("CAIO_IMPL: {error}"));
                Self::from_name(&name).map(Some).map_err(explain)
            }
            Some(Err(name)) => Self::from_name(&name.to_string_lossy()).map(Some),
            None => Ok(Self::from_default_file()),
        }
    }

    /// The first known name in the host's default file. No file, no choice.
    fn from_default_file() -> Option<Self> {
        let path = std::env::var_os("CAIO_DEFAULT_IMPLEMENTATION").map_or_else(|| DEFAULT_FILE.into(), PathBuf::from);
        let mut text = Vec::new();
        std::fs::File::open(path).ok()?.take(DEFAULT_FILE_LIMIT).read_to_end(&mut text).ok()?;
        Self::first_known(&String::from_utf8_lossy(&text))
    }

    /// The first known name; blank lines, comments and unknown names are skipped.
    fn first_known(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.filter_map(|line| Self::from_name(line).ok()).next()
    }
}
