//! How many requests a context has where the system has few to give.

use crate::support::{kernel_contexts, skip};
use caio_aio::Aio;
use caio_conformance::kit::{
    alone,
    seccomp::{Refused, refuse_or_skip},
    until,
};
use caio_core::{Refusal, errno};
use caio_sys::aio::{io_destroy, io_setup};
use std::fs;
use std::io;
use std::thread;

/// The refusal in an error.
fn refusal(error: &io::Error) -> &Refusal {
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("it is a refusal")
}

#[test]
fn where_there_is_no_room_the_bound_is_halved() {
    for error in [libc::EAGAIN, libc::ENOMEM] {
        let body = move || {
            if !refuse_or_skip(&[Refused::above(libc::SYS_io_setup, 0, 40, error)]) {
                return;
            }
            match Aio::builder().max_requests(256).build() {
                Ok(ctx) => assert_eq!(ctx.max_requests(), 32),
                Err(error) => skip(error),
            }
            match Aio::builder().max_requests(40).build() {
                Ok(ctx) => assert_eq!(ctx.max_requests(), 40),
                Err(error) => skip(error),
            }
        };
        thread::spawn(body).join().unwrap();
    }
}

#[test]
fn halving_ends_at_a_few_requests() {
    let body = || {
        if !refuse_or_skip(&[Refused::above(libc::SYS_io_setup, 0, 7, libc::EAGAIN)]) {
            return;
        }
        let error = Aio::builder().max_requests(100).build().unwrap_err();
        assert_eq!(refusal(&error).errno(), Some(libc::EAGAIN));
        assert_eq!(refusal(&error).step(), "io_setup");
        for word in ["fs.aio-max-nr", "max_requests", &limit("aio-max-nr").to_string()] {
            assert!(error.to_string().contains(word), "{word} is missing: {error}");
        }
        // Who asks for fewer gets them.
        if let Err(error) = Aio::builder().max_requests(7).build() {
            skip(error);
        }
    };
    thread::spawn(body).join().unwrap();
}

/// A limit or a count of the system.
fn limit(name: &str) -> u64 {
    fs::read_to_string(format!("/proc/sys/fs/{name}")).unwrap().trim().parse().unwrap()
}

/// Sets `fs.aio-max-nr` until it is dropped.
struct Limited {
    /// What it was.
    before: u64,
}

impl Limited {
    /// Sets it; the error where that is forbidden.
    fn new(limited: u64) -> io::Result<Self> {
        let before = limit("aio-max-nr");
        fs::write("/proc/sys/fs/aio-max-nr", limited.to_string())?;
        Ok(Self { before })
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        fs::write("/proc/sys/fs/aio-max-nr", self.before.to_string()).unwrap();
    }
}

#[test]
#[ignore = "changes fs.aio-max-nr, which is the whole system's: run it alone"]
fn the_systems_limit_is_shared() {
    alone("bounds::the_systems_limit_is_shared", || {
        let Ok(context) = io_setup(100).map_err(skip) else { return };
        let used = limit("aio-nr");
        let _limited = match Limited::new(used + 40) {
            Ok(limited) => limited,
            Err(error) => return skip(format_args!("fs.aio-max-nr cannot be set: {error}")),
        };
        let ctx = Aio::builder().max_requests(256).build().unwrap();
        assert_eq!(ctx.max_requests(), 32);
        let error = Aio::builder().max_requests(256).build().map(|ctx| ctx.max_requests());
        // Eight are left.
        assert_eq!(error.unwrap(), 8);
        let smallest = Aio::builder().max_requests(8).build();
        let refused = Limited::new(limit("aio-nr"));
        let error = Aio::builder().max_requests(256).build().unwrap_err();
        assert_eq!(errno(&error).or(refusal(&error).errno()), Some(libc::EAGAIN));
        drop((smallest, refused, ctx));
        io_destroy(context).unwrap();
        until("all requests are given back", || limit("aio-nr") <= used - 100);
        assert_eq!(kernel_contexts(), 0);
    });
}
