//! The type of what `AsyncioContext.read` gives: a coroutine to asyncio, with a `send` of its own.
//!
//! It is no `#[pyclass]`, because that has no way to say `am_send`: without it each result is wrapped into a `StopIteration`.

use crate::step::{Step, Stepped};
use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning, PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use pyo3::{PyTypeInfo, ffi};
use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// `Py_TPFLAGS_DISALLOW_INSTANTIATION`.
const DISALLOW_INSTANTIATION: c_ulong = 1 << 7;

/// The object. Invariant: `step` is whole from `new` until `dealloc`.
#[repr(C)]
struct Object {
    /// What every object begins with.
    head: ffi::PyObject,
    /// The operation.
    step: ManuallyDrop<Step>,
}

/// The type.
static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Makes the object that is awaited.
pub(crate) fn new(py: Python<'_>, step: Step) -> PyResult<Py<PyAny>> {
    let class = TYPE.get_or_try_init(py, || make_type(py))?;
    // SAFETY: we are attached, and the type is one with `Object` as its layout. The collector cannot run before `step` is written.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0);
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        ptr::addr_of_mut!((*object.cast::<Object>()).step).write(ManuallyDrop::new(step));
        Ok(Bound::from_owned_ptr(py, object).unbind())
    }
}

/// The operation of an object.
///
/// # Safety
/// It is one of ours, and outlives the reference.
unsafe fn step<'a>(object: *mut ffi::PyObject) -> &'a Step {
    // SAFETY: the caller's promise.
    unsafe { &(*object.cast::<Object>()).step }
}

/// Runs the code of a slot. A panic is an exception; and where the interpreter is no longer there, nothing is done.
fn slot<R>(failed: R, code: impl FnOnce(Python<'_>) -> PyResult<R>) -> R {
    // SAFETY: it can always be called.
    if unsafe { ffi::Py_IsInitialized() } == 0 {
        // SAFETY: Python calls the slots of our type, and so we are attached.
        unsafe { ffi::PyErr_SetString(ffi::PyExc_RuntimeError, c"the interpreter is shutting down".as_ptr()) };
        return failed;
    }
    Python::attach(|py| match catch_unwind(AssertUnwindSafe(|| code(py))) {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => {
            error.restore(py);
            failed
        }
        Err(_panic) => {
            PyRuntimeError::new_err("caio has panicked: this is a bug in it").restore(py);
            failed
        }
    })
}

/// `am_send`: what a task calls.
unsafe extern "C" fn am_send(
    object: *mut ffi::PyObject,
    _value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    let (value, sent) = slot((ptr::null_mut(), ffi::PySendResult::PYGEN_ERROR), |py| {
        // SAFETY: Python calls the slot of our type with an object of it, which it holds.
        Ok(match unsafe { step(object) }.advance(py)? {
            Stepped::Return(value) => (value.into_ptr(), ffi::PySendResult::PYGEN_RETURN),
            Stepped::Yield(value) => (value.into_ptr(), ffi::PySendResult::PYGEN_NEXT),
        })
    });
    // SAFETY: Python gives the place for the result.
    unsafe { *result = value };
    sent
}

/// What a step gives, for callers that know iterators only.
fn iterate(py: Python<'_>, stepped: Stepped) -> PyResult<*mut ffi::PyObject> {
    match stepped {
        Stepped::Yield(value) => Ok(value.into_ptr()),
        // As an instance, because a tuple would be taken for its arguments.
        Stepped::Return(value) => Err(PyErr::from_value(PyStopIteration::type_object(py).call1((value,))?.into_any())),
    }
}

/// `tp_iternext`: what `await` calls.
unsafe extern "C" fn next(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: Python calls the slot of our type with an object of it, which it holds.
    slot(ptr::null_mut(), |py| iterate(py, unsafe { step(object) }.advance(py)?))
}

/// `send(value)`.
unsafe extern "C" fn send(object: *mut ffi::PyObject, value: *mut ffi::PyObject) -> *mut ffi::PyObject {
    slot(ptr::null_mut(), |py| {
        // SAFETY: Python calls the method of our type with an object of it, which it holds, and gives a value.
        let (step, is_none) = unsafe { (step(object), value == ffi::Py_None()) };
        if step.is_new() && !is_none {
            return Err(PyTypeError::new_err("can't send non-None value to an operation that has not started"));
        }
        iterate(py, step.advance(py)?)
    })
}

/// `throw(exception)`, or its old form with a type, a value and a traceback.
unsafe extern "C" fn throw(object: *mut ffi::PyObject, args: *mut ffi::PyObject) -> *mut ffi::PyObject {
    slot(ptr::null_mut(), |py| {
        // SAFETY: Python calls the method of our type with an object of it, which it holds.
        unsafe { step(object) }.give_up(py);
        // SAFETY: it gives a tuple.
        let args = unsafe { Bound::from_borrowed_ptr(py, args) };
        Err(thrown(&args)?)
    })
}

/// The exception that was thrown.
fn thrown(args: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let first = args.get_item(0)?;
    let second = args.get_item(1).ok().filter(|value| !value.is_none());
    let Ok(class) = first.cast::<PyType>() else {
        return Ok(PyErr::from_value(first));
    };
    match second {
        Some(value) if value.is_instance(class)? => Ok(PyErr::from_value(value)),
        Some(value) => Ok(PyErr::from_value(class.call1((value,))?)),
        None => Ok(PyErr::from_value(class.call0()?)),
    }
}

/// `close()`.
unsafe extern "C" fn close(object: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    slot(ptr::null_mut(), |py| {
        // SAFETY: Python calls the method of our type with an object of it, which it holds.
        unsafe { step(object) }.give_up(py);
        Ok(py.None().into_ptr())
    })
}

/// `__await__()`: the object itself.
unsafe extern "C" fn itself(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: Python calls the slot with an object, and wants a reference of its own.
    unsafe { ffi::Py_NewRef(object) }
}

/// `__name__` and `__qualname__`, for the texts of tasks.
unsafe extern "C" fn name(object: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: Python calls the getter of our type with an object of it, which it holds.
    slot(ptr::null_mut(), |py| Ok(PyString::new(py, unsafe { step(object) }.name()).into_any().into_ptr()))
}

/// `tp_traverse`.
unsafe extern "C" fn traverse(object: *mut ffi::PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: the collector calls it with an object of ours, whose type and parts are visited as it asks.
    unsafe {
        let result = visit(ffi::Py_TYPE(object).cast(), arg);
        if result != 0 { result } else { step(object).traverse(&mut |part| visit(part, arg)) }
    }
}

/// `tp_dealloc`.
unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: this is the last reference. The collector is told first, and the memory is freed last. Where the interpreter is no
    // longer there, what the operation owns is left.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let class = ffi::Py_TYPE(object);
        if ffi::Py_IsInitialized() != 0 {
            let step = ManuallyDrop::take(&mut (*object.cast::<Object>()).step);
            slot((), |py| {
                retire(py, &step);
                drop(step);
                Ok(())
            });
        }
        ffi::PyObject_GC_Del(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

/// Gives up what still runs, and tells of what nobody awaited.
fn retire(py: Python<'_>, step: &Step) {
    let before = PyErr::take(py);
    if step.is_new() {
        let text = format!("operation '{}' was never awaited\0", step.name());
        if let Ok(text) = CStr::from_bytes_with_nul(text.as_bytes()) {
            if let Err(error) = PyErr::warn(py, &PyRuntimeWarning::type_object(py), text, 1) {
                error.write_unraisable(py, None);
            }
        }
    }
    step.give_up(py);
    if let Some(before) = before {
        before.restore(py);
    }
}

/// Makes the type.
fn make_type(py: Python<'_>) -> PyResult<Py<PyType>> {
    let method = |name: &'static CStr, meth, flags| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: meth,
        ml_flags: flags,
        ml_doc: ptr::null(),
    };
    let getter = |name: &'static CStr| ffi::PyGetSetDef {
        name: name.as_ptr().cast_mut(),
        get: Some(self::name),
        set: None,
        doc: ptr::null(),
        closure: ptr::null_mut(),
    };
    // Python keeps both tables for as long as the type lives, which is for ever.
    let methods = Box::leak(Box::new([
        method(c"send", ffi::PyMethodDefPointer { PyCFunction: send }, ffi::METH_O),
        method(c"throw", ffi::PyMethodDefPointer { PyCFunction: throw }, ffi::METH_VARARGS),
        method(c"close", ffi::PyMethodDefPointer { PyCFunction: close }, ffi::METH_NOARGS),
        ffi::PyMethodDef::zeroed(),
    ]));
    let getters = Box::leak(Box::new([getter(c"__name__"), getter(c"__qualname__"), ffi::PyGetSetDef::default()]));
    let entry = |slot, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        entry(ffi::Py_tp_doc, c"An operation that is awaited.".as_ptr().cast_mut().cast()),
        entry(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        entry(ffi::Py_tp_traverse, traverse as *mut c_void),
        entry(ffi::Py_am_await, itself as *mut c_void),
        entry(ffi::Py_am_send, am_send as *mut c_void),
        entry(ffi::Py_tp_iternext, next as *mut c_void),
        entry(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        entry(ffi::Py_tp_getset, getters.as_mut_ptr().cast()),
        entry(0, ptr::null_mut()),
    ];
    let flags = ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | DISALLOW_INSTANTIATION;
    const NAME: &CStr = c"caio._caio.Awaitable";
    let mut spec = ffi::PyType_Spec {
        name: NAME.as_ptr().cast::<c_char>(),
        basicsize: size_of::<Object>() as c_int,
        itemsize: 0,
        flags: flags as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: we are attached; every slot has the function type that its number asks for, and the tables end with a zero.
    let class = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))? };
    Ok(class.cast_into::<PyType>()?.unbind())
}
