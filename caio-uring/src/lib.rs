//! The io_uring backend of the caio asynchronous file I/O library.
