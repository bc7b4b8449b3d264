//! The portable thread pool backend of the caio asynchronous file I/O library.
