//! The suite that every backend runs, on the simplest backend that can be written.

use crate::simple;
use caio_core::conformance::{Subject, cases, run};

#[test]
fn the_simplest_backend_conforms() {
    run(&Subject::new("simple", simple::open)).assert_passed();
}

#[test]
fn the_suite_has_at_least_sixty_cases_with_names_of_their_own() {
    let mut names: Vec<_> = cases().iter().map(|case| case.name).collect();
    assert!(names.len() >= 60, "{} cases", names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases().len());
}
