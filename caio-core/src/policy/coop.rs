//! The cooperative budget: how much a task may do before it lets the others of its thread run.
//!
//! An operation that ends in its first poll gives the thread to nobody. A task with many of these
//! yields once the budget is spent.

use crate::op::OpClass;
use std::cell::Cell;

/// How much a task may do in a row, in copies of at most 8 KiB: some 300 microseconds.
const BUDGET: u32 = 256;

thread_local! {
    /// What was done in a row on this thread.
    static SPENT: Cell<u32> = const { Cell::new(0) };
}

/// What an operation costs that was finished inline.
pub(crate) fn copy_cost(bytes: usize) -> u32 {
    1 + (bytes / 8192) as u32
}

/// What an operation costs that went to the backend and ended in its first poll.
pub(crate) fn class_cost(class: OpClass) -> u32 {
    match class {
        OpClass::CachedRead | OpClass::BufferedWrite | OpClass::Position => 2,
        OpClass::Direct | OpClass::Sync | OpClass::Stream => 64,
    }
}

/// Whether the budget is spent: then the task yields, and has a new one.
#[inline]
pub(crate) fn is_spent() -> bool {
    let spent = |spent: &Cell<u32>| spent.get() >= BUDGET && spent.replace(0) != 0;
    SPENT.try_with(spent).unwrap_or(false)
}

/// An operation ended in its first poll.
#[inline]
pub(crate) fn charge(cost: u32) {
    // A thread whose locals are gone has no executor to be fair to.
    let _gone = SPENT.try_with(|spent| spent.set(spent.get() + cost));
}

/// A poll ended without a result, so that others run.
#[inline]
pub(crate) fn reset() {
    let _gone = SPENT.try_with(|spent| spent.set(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_spent_once() {
        reset();
        charge(BUDGET - 1);
        assert!(!is_spent());
        charge(1);
        assert!(is_spent());
        assert!(!is_spent(), "a new budget");
    }

    #[test]
    fn long_copies_cost_more() {
        assert_eq!((copy_cost(0), copy_cost(4096), copy_cost(64 * 1024)), (1, 1, 9));
    }

    #[test]
    fn a_yield_renews_it() {
        charge(BUDGET);
        reset();
        assert!(!is_spent());
    }
}
