//! Asynchronous file I/O from any executor.
