//! Which of a process's interpreters this is: the module serves the first that imports it.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering};

/// The interpreter that has imported the module, or -1.
static FIRST: AtomicI64 = AtomicI64::new(-1);

/// Refuses any other interpreter than the first: what the module keeps are objects of that one.
pub(crate) fn check(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: `_py` says that we are attached, and so there is a current interpreter.
    let this = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    match FIRST.compare_exchange(-1, this, Ordering::SeqCst, Ordering::SeqCst) {
        Err(first) if first != this => {
            Err(PyImportError::new_err("caio does not support subinterpreters: another interpreter has imported it"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}
