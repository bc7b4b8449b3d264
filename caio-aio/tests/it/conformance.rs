//! The behaviours that every backend must show, on each route.

use crate::support;
use caio_aio::Routes;
use caio_core::Settings;
use caio_core::conformance::{Subject, run};

/// Runs the suite with a choice of routes.
fn conforms(name: &'static str, routes: Routes) {
    let Some(_probe) = support::context(Routes::Auto, 1) else { return };
    let open = move |settings: &Settings| {
        let mut builder = caio_aio::Aio::builder().max_requests(settings.max_requests).routes(routes);
        if let Some(threads) = settings.pool_size {
            builder = builder.pool_size(threads);
        }
        builder.build()
    };
    run(&Subject::new(name, open)).assert_passed();
}

#[test]
fn conforms_as_it_is() {
    conforms("aio", Routes::Auto);
}

#[test]
fn conforms_with_all_that_the_kernel_takes() {
    conforms("aio-kernel", Routes::Kernel);
}

#[test]
fn conforms_with_the_pool_alone() {
    conforms("aio-pool", Routes::Pool);
}
