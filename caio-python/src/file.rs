//! A file of Python: a number that stays its owner's.

use crate::errors;
use caio::{IoPriority, SharedFd};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use rustix::io::Errno;
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

/// An offset: -1 and its unsigned reading mean 'none', as for a pipe.
pub(crate) fn offset(object: &Bound<'_, PyAny>) -> PyResult<u64> {
    match object.extract::<u64>() {
        Ok(offset) if i64::try_from(offset).is_ok() || offset == caio::NO_OFFSET => Ok(offset),
        Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => Err(error),
        Err(_) if object.extract::<i64>().is_ok_and(|given| given == -1) => Ok(caio::NO_OFFSET),
        Ok(_) | Err(_) => {
            Err(PyOverflowError::new_err(format!("the offset {object} is not between 0 and 2**63 - 1, nor -1 for none")))
        }
    }
}

/// How many bytes to read.
pub(crate) fn bytes(object: &Bound<'_, PyAny>) -> PyResult<usize> {
    match object.extract::<usize>() {
        Ok(bytes) if isize::try_from(bytes).is_ok() => Ok(bytes),
        Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => Err(error),
        Ok(_) | Err(_) => Err(PyOverflowError::new_err(format!("nbytes must be between 0 and sys.maxsize, not {object}"))),
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
