//! The Linux kernel AIO backend of the caio asynchronous file I/O library.
