//! The pool's promises, tested through its public API.

mod conformance;
