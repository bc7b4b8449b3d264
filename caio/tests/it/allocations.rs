//! Operations on a buffer that is reused allocate nothing in the steady state.

use crate::backends::{Backend, backends};
use caio::{AlignedBuf, Context, IoBufMut, SharedFd};
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many allocations all threads have made.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

/// Operations before the count begins: tables, queues and threads grow to what they need.
const WARM_UP: usize = 500;
/// Operations that are counted.
const COUNTED: usize = 2000;

/// Writes and reads back `times` times with one buffer.
async fn work<B: IoBufMut>(ctx: &Context, fd: &SharedFd, mut buf: B, times: usize) -> B {
    for _ in 0..times {
        let (written, back) = ctx.write(buf, fd, 0).await;
        assert_eq!(written.expect("a write"), 4096);
        let (read, back) = ctx.read_into(back, fd, 0).await;
        assert_eq!(read.expect("a read"), 4096);
        buf = back;
    }
    buf
}

/// How many allocations the counted operations made.
fn count(ctx: &Context, fd: &SharedFd) -> u64 {
    futures::executor::block_on(async {
        let buf = work(ctx, fd, AlignedBuf::zeroed(4096, 4096), WARM_UP).await;
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        drop(work(ctx, fd, buf, COUNTED).await);
        ALLOCATIONS.load(Ordering::Relaxed) - before
    })
}

/// A file past the cache, where the file system has that.
#[cfg(target_os = "linux")]
fn direct() -> Option<SharedFd> {
    caio_conformance::kit::direct_file(&caio_conformance::test_dir!(), &[])
}

/// A file past the cache: not on this system.
#[cfg(not(target_os = "linux"))]
fn direct() -> Option<SharedFd> {
    None
}

/// A file in the cache, and one past it.
fn files() -> Vec<(&'static str, SharedFd)> {
    let cached = tempfile::tempfile().expect("a file").into();
    std::iter::once(("cached", cached)).chain(direct().map(|fd| ("direct", fd))).collect()
}

#[test]
#[ignore = "the test below runs it in a process of its own"]
fn in_a_process_of_its_own() {
    for backend in backends().into_iter().filter(|backend| *backend != Backend::Portable) {
        for (name, fd) in files() {
            let ctx = backend.builder().build().expect("it was usable a moment ago");
            let allocations = count(&ctx, &fd);
            println!("{} {name}: {allocations} allocations in {} operations", backend.name(), 2 * COUNTED);
            // A worker may come or go meanwhile, which takes a few; an operation must not allocate.
            assert!(
                allocations < COUNTED as u64 / 20,
                "{} {name}: {allocations} in {} operations",
                backend.name(),
                2 * COUNTED
            );
        }
    }
}

#[test]
fn a_reused_buffer_allocates_nothing() {
    let exe = std::env::current_exe().expect("this binary");
    let mut command = Command::new(exe);
    command.args(["allocations::in_a_process_of_its_own", "--exact", "--ignored", "--nocapture"]);
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
