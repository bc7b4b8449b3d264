//! The extension module of the Python package `caio`: the engine under the names of the original.
//!
//! 1. `asyncio_context.rs`: a call such as `AsyncioContext.read` makes an awaitable;
//! 2. `awaitable.rs`, `step.rs`: its first step starts the operation, which often ends there;
//! 3. `ready.rs`: else a waker enters it in the ready list of its event loop, and rings its bell;
//! 4. `event_loop.rs`: the loop resolves the future that the task waits for;
//! 5. `step.rs`: the task's next step takes the result.
//!
//! `low_level/` has the contexts whose completions are taken by a call, or that call back from a thread.
#![deny(unsafe_code)]
#![cfg(unix)]

#[allow(unsafe_code)]
mod awaitable;
#[allow(unsafe_code)]
mod buffer;
#[allow(unsafe_code)]
mod file;
#[allow(unsafe_code)]
mod interpreter;

mod asyncio_context;
mod backend;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod bell;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "bell_unix.rs"]
mod bell;
mod errors;
mod event_loop;
mod low_level;
mod operation;
mod ready;
mod step;
mod sync;

use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

/// The extension module of caio.
#[pymodule]
mod _caio {
    use super::*;

    #[pymodule_export]
    use crate::asyncio_context::AsyncioContext;
    #[pymodule_export]
    use crate::backend::{probe, require};
    #[pymodule_export]
    use crate::event_loop::LoopEvents;
    use crate::low_level::{AioContext, AioOperation, ThreadContext, ThreadOperation, UringContext, UringOperation};

    /// This is a child process. What belongs to its parent is left alone from now on.
    #[pyfunction]
    fn _forked() {
        crate::sync::forked();
        crate::event_loop::LoopEvents::forget_all();
    }

    /// The interpreter ends.
    #[pyfunction]
    fn _exiting(py: Python<'_>) {
        crate::low_level::exiting(py);
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        crate::interpreter::check(py)?;
        module.add("UringContext", py.get_type::<UringContext>())?;
        module.add("UringOperation", py.get_type::<UringOperation>())?;
        module.add("AioContext", py.get_type::<AioContext>())?;
        module.add("AioOperation", py.get_type::<AioOperation>())?;
        module.add("ThreadContext", py.get_type::<ThreadContext>())?;
        module.add("ThreadOperation", py.get_type::<ThreadOperation>())?;
        let in_child = [("after_in_child", module.getattr("_forked")?)].into_py_dict(py)?;
        py.import("os")?.call_method("register_at_fork", (), Some(&in_child))?;
        py.import("atexit")?.call_method1("register", (module.getattr("_exiting")?,))?;
        Ok(())
    }
}
