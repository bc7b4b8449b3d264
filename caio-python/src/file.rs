//! A file of Python: a number that stays its owner's.

use crate::errors;
use caio::{IoPriority, SharedFd};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use rustix::io::Errno;
use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Checks a descriptor's number. One that no file has is the kernel's to refuse.
pub(crate) fn number(object: &Bound<'_, PyAny>) -> PyResult<i32> {
    let number: i32 = object.extract()?;
    if number < 0 {
        let text = format!("Bad file descriptor: {number}");
        return Err(errors::operation_error(object.py(), Errno::BADF.raw_os_error(), &text));
    }
    Ok(number)
}

/// Names the file for one operation, so that nothing is known of another that had its number.
pub(crate) fn borrowed(number: i32) -> SharedFd {
    // SAFETY: `number` checked that it is none of those that a descriptor never has. Whoever gave it to Python closes it after the
    // operations on it; if not, the kernel refuses it, or reads and writes the file that has the number now. Python itself makes
    // the same promise for `os.pread`, and no memory is at stake.
    unsafe { SharedFd::borrowed(number) }
}

/// How many names of files a thread keeps.
const MAX_NAMES: usize = 8;

/// What tells a file from another that had its number, and what was asked of it at `open(2)`.
type Stamp = (u64, u64, u32, u32);

/// The name of a file, kept for its next operation.
struct Name {
    /// The number.
    number: i32,
    /// Which file it was when its facts were learnt. `None` if it knows nothing.
    stamp: Option<Stamp>,
    /// The name.
    file: SharedFd,
}

impl Name {
    /// The name for what its number is now, unless what runs still has what it knows of another file.
    fn for_file(mut self, stamp: Option<Stamp>) -> Option<Self> {
        if stamp.is_some() && self.stamp == stamp || self.file.forget() {
            self.stamp = stamp;
            return Some(self);
        }
        None
    }
}

thread_local! {
    /// The names of files that were read last, and of those that were written last.
    static NAMES: RefCell<[Vec<Name>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Gives `code` the name of a file to read from. It knows nothing: a read of what is cached needs nothing to be known.
pub(crate) fn with_unknown<R>(number: i32, code: impl FnOnce(&SharedFd) -> R) -> R {
    with_name(number, 0, None, code)
}

/// Gives `code` the name of a file to write to. It knows what it has learnt if it is the same file as then: to ask which file it
/// is costs less than to learn again that writes to it cannot be done at once.
pub(crate) fn with_known<R>(number: i32, code: impl FnOnce(&SharedFd) -> R) -> R {
    with_name(number, 1, stamp(number), code)
}

/// Which file it is.
#[allow(clippy::unnecessary_cast, reason = "systems differ in the types of these numbers")]
fn stamp(number: i32) -> Option<Stamp> {
    // SAFETY: as in `borrowed`.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let (stat, flags) = (rustix::fs::fstat(fd).ok()?, rustix::fs::fcntl_getfl(fd).ok()?);
    Some((stat.st_dev as u64, stat.st_ino as u64, stat.st_mode as u32, flags.bits()))
}

/// Gives `code` a name that was kept, or a new one.
fn with_name<R>(number: i32, kind: usize, stamp: Option<Stamp>, code: impl FnOnce(&SharedFd) -> R) -> R {
    let kept = NAMES.try_with(|names| {
        let mut names = names.borrow_mut();
        let place = names[kind].iter().position(|name| name.number == number)?;
        Some(names[kind].swap_remove(place))
    });
    let kept = kept.ok().flatten().and_then(|name| name.for_file(stamp));
    let name = kept.unwrap_or_else(|| Name { number, stamp, file: borrowed(number) });
    let result = code(&name.file);
    let _gone = NAMES.try_with(|names| {
        let names = &mut names.borrow_mut()[kind];
        if names.len() == MAX_NAMES {
            names.remove(0);
        }
        names.push(name);
    });
    result
}

/// An offset: -1 and its unsigned reading mean 'none', as for a pipe.
pub(crate) fn offset(object: &Bound<'_, PyAny>) -> PyResult<u64> {
    match object.extract::<u64>() {
        Ok(offset) if i64::try_from(offset).is_ok() || offset == caio::NO_OFFSET => Ok(offset),
        Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => Err(error),
        Err(_) if object.extract::<i64>().is_ok_and(|given| given == -1) => Ok(caio::NO_OFFSET),
        Ok(_) | Err(_) => Err(PyOverflowError::new_err(format!(
            "the offset {object} is not between 0 and 2**63 - 1, nor -1 for none"
        ))),
    }
}

/// How many bytes to read.
pub(crate) fn bytes(object: &Bound<'_, PyAny>) -> PyResult<usize> {
    match object.extract::<usize>() {
        Ok(bytes) if isize::try_from(bytes).is_ok() => Ok(bytes),
        Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => Err(error),
        Ok(_) | Err(_) => {
            Err(PyOverflowError::new_err(format!("nbytes must be between 0 and sys.maxsize, not {object}")))
        }
    }
}

/// How urgent an operation is: 0 for no matter, 1 to 7 for levels of the usual class from urgent to not, or a value of
/// `ioprio_set(2)`, which is the class times 8192 plus the level.
pub(crate) fn priority(given: i64) -> PyResult<Option<IoPriority>> {
    let level = u8::try_from(given & 0x1fff).unwrap_or(u8::MAX);
    match (given >> 13, level) {
        (0, 0) => Ok(None),
        (0 | 2, 0..=7) => Ok(Some(IoPriority::BestEffort(level))),
        (1, 0..=7) => Ok(Some(IoPriority::RealTime(level))),
        (3, 0..=7) => Ok(Some(IoPriority::Idle)),
        _ => Err(PyValueError::new_err(format!(
            "priority must be 0 to 7, or a class (1 to 3) times 8192 plus a level (0 to 7), not {given}"
        ))),
    }
}

/// How long an operation may take.
pub(crate) fn timeout(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let duration = Duration::try_from_secs_f64(seconds);
    duration.map(Some).map_err(|_| PyValueError::new_err(format!("timeout must not be negative, as {seconds} is")))
}
