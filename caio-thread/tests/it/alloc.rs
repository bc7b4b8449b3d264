//! The steady state allocates nothing.

use crate::support::{block_on, file};
use caio_conformance::kit::alone;
use caio_thread::ThreadPool;
use futures::future::join;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often anybody allocated.
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counted.
struct Counted;

#[allow(unsafe_code)]
// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

#[test]
fn a_reused_buffer_costs_no_allocation() {
    alone("alloc::a_reused_buffer_costs_no_allocation", || {
        let ctx = ThreadPool::builder().pool_size(2).build().unwrap();
        let (one, two) = (file(), file());
        let round = |a: Vec<u8>, b: Vec<u8>| {
            let ((written, a), (other, b)) = block_on(join(ctx.write(a, &one, 0), ctx.write(b, &two, 0)));
            assert_eq!((written.unwrap(), other.unwrap()), (4096, 70_000));
            let ((read, a), (other, b)) = block_on(join(ctx.read_into(a, &one, 0), ctx.read_into(b, &two, 0)));
            assert_eq!((read.unwrap(), other.unwrap()), (4096, 70_000));
            let (first, second) = block_on(join(ctx.fdsync(&one), ctx.fsync(&one)));
            assert!(first.is_ok() && second.is_ok());
            (a, b)
        };
        let (mut a, mut b) = (vec![1; 4096], vec![2; 70_000]);
        for _ in 0..50 {
            (a, b) = round(a, b);
        }
        // A queue that grows once more, or a second worker, may come late. What an operation costs
        // comes in every part.
        let parts: Vec<u64> = (0..10)
            .map(|_| {
                let before = ALLOCATED.load(Ordering::Relaxed);
                for _ in 0..100 {
                    (a, b) = round(std::mem::take(&mut a), std::mem::take(&mut b));
                }
                ALLOCATED.load(Ordering::Relaxed) - before
            })
            .collect();
        let late = parts.iter().filter(|part| **part != 0).count();
        assert!(late <= 2 && parts.iter().sum::<u64>() <= 20, "allocations in each 100 rounds: {parts:?}");
    });
}
