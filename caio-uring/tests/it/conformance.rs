//! The behaviours that every backend shows, with every route forced in turn.

use crate::support::builder;
use caio_core::conformance::{Subject, run};
use caio_core::{Context, Settings};
use caio_uring::{Route, Routes, Uring};
use std::io;

/// Opens a context with routes.
fn open(settings: &Settings, routes: Routes) -> io::Result<Context> {
    Uring::builder().settings(settings).routes(routes).build()
}

/// Runs the suite, if there is io_uring.
fn conforms(name: &'static str, open: fn(&Settings) -> io::Result<Context>) {
    if builder(Routes::default()).is_some() {
        run(&Subject::new(name, open)).assert_passed();
    }
}

#[test]
fn on_the_routes_that_are_chosen() {
    conforms("uring", |settings| open(settings, Routes::default()));
}

#[test]
fn on_the_ring() {
    conforms("uring, all through the ring", |settings| open(settings, Routes::all(Route::Ring)));
}

#[test]
fn on_the_pool() {
    conforms("uring, all through the pool", |settings| open(settings, Routes::all(Route::Pool)));
}
