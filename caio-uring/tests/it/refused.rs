//! io_uring refused: found out when a context is made, with what to do about it; and later, without
//! losing an operation.

use crate::support::{file, ring};
use caio_conformance::kit::seccomp::{Refused, refuse_or_skip};
use caio_conformance::kit::{Resource, as_nobody, limit, pipe, poll_once, within};
use caio_core::{Context, Fact, IoPriority, NO_OFFSET, Refusal};
use caio_uring::{Route, Routes, Uring};
use futures::executor::block_on;
use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Has a system call answer an error in the calling thread, and in the threads that it starts.
/// `false` where that is not possible.
fn refuse(call: libc::c_long, errno: i32) -> bool {
    refuse_or_skip(&[Refused::always(call, errno)])
}

/// The refusal of a context that is made where a call is refused.
fn refusal(call: libc::c_long, errno: i32) -> Option<Refusal> {
    let _available = ring()?;
    let attempt = within(Duration::from_secs(20), move || refuse(call, errno).then(|| Uring::builder().build()));
    let error: io::Error = attempt?.expect_err("it was refused");
    let refusal = error.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>()).expect("a refusal");
    assert_eq!(refusal.errno(), Some(errno));
    Some(refusal.clone())
}

#[test]
fn a_filter_that_forbids_is_named_with_its_remedy() {
    if let Some(refusal) = refusal(libc::SYS_io_uring_setup, libc::EPERM) {
        assert_eq!(refusal.step(), "io_uring_setup");
        assert!(
            refusal.remedy().contains("--security-opt seccomp") && refusal.remedy().contains("seccompProfile"),
            "{refusal}"
        );
    }
}

#[test]
fn a_kernel_without_it_is_named_with_its_remedy() {
    if let Some(refusal) = refusal(libc::SYS_io_uring_setup, libc::ENOSYS) {
        assert!(refusal.remedy().contains("Linux 5.6"), "{refusal}");
    }
}

#[test]
fn too_little_memory_is_named_once_no_depth_is_left() {
    if let Some(refusal) = refusal(libc::SYS_io_uring_setup, libc::ENOMEM) {
        assert!(refusal.remedy().contains("ulimit -l"), "{refusal}");
    }
}

#[test]
fn every_call_is_tried_when_a_context_is_made() {
    if let Some(refusal) = refusal(libc::SYS_io_uring_enter, libc::EPERM) {
        assert_eq!(refusal.step(), "io_uring_enter");
    }
    if let Some(refusal) = refusal(libc::SYS_io_uring_register, libc::EACCES) {
        assert_eq!(refusal.step(), "io_uring_register");
    }
    if let Some(refusal) = refusal(libc::SYS_io_uring_setup, libc::EMFILE) {
        assert!(refusal.remedy().contains("ulimit -n"), "{refusal}");
    }
}

/// A ring that can no longer be entered: what it has not seen takes the pool, and no stale request
/// runs later.
#[test]
fn a_ring_that_is_forbidden_later_loses_nothing() {
    let Some(builder) = ring() else { return };
    let ctx = builder.build().expect("a context");
    let fd = file(b"content");
    assert_eq!(block_on(ctx.read(7, &fd, 0)).expect("a read"), b"content");
    let (later, same) = (ctx.clone(), fd.clone());
    let forbidden = within(Duration::from_secs(20), move || {
        refuse(libc::SYS_io_uring_enter, libc::EPERM).then(|| {
            let mut batch = later.batch();
            let reads: Vec<_> = (0..20).map(|at| batch.read(1, &same, at % 7)).collect();
            batch.submit().expect("a batch");
            block_on(futures::future::join_all(reads))
                .into_iter()
                .for_each(|read| assert_eq!(read.expect("a read").len(), 1));
        })
    });
    if forbidden.is_none() {
        return;
    }
    assert_eq!((ctx.stats().fallback, ctx.in_flight()), (20, 0));
    assert_eq!(block_on(ctx.read(7, &fd, 0)).expect("a read"), b"content");
}

/// A kernel that has no memory for now, once: what was submitted is submitted again.
fn pressed(errno: i32) {
    let Some(builder) = ring() else { return };
    let ctx: Context = builder.build().expect("a context");
    let fd = file(b"content");
    assert_eq!(block_on(ctx.read(7, &fd, 0)).expect("a read"), b"content");
    // In this thread every flush fails; the thread that takes completions flushes instead.
    let (later, same) = (ctx.clone(), fd.clone());
    let read = within(Duration::from_secs(20), move || {
        refuse(libc::SYS_io_uring_enter, errno).then(|| block_on(later.read(7, &same, 0)))
    });
    if let Some(read) = read {
        assert_eq!(read.expect("a read"), b"content");
    }
}

#[test]
fn a_kernel_under_pressure_is_asked_again() {
    pressed(libc::EAGAIN);
    pressed(libc::EBUSY);
}

/// A priority is a hint: that it is forbidden fails nothing.
#[test]
fn a_priority_that_is_forbidden_fails_nothing() {
    as_nobody("refused::a_priority_that_is_forbidden_fails_nothing", || {
        let Some(builder) = ring() else { return };
        let ctx = builder.build().expect("a context");
        let fd = caio_core::SharedFd::from(std::fs::File::open("/proc/self/exe").expect("this program"));
        let read = ctx.read(4, &fd, 0).priority(IoPriority::RealTime(0));
        assert_eq!(within(Duration::from_secs(10), move || block_on(read)).expect("a read"), b"\x7fELF");
        assert_eq!(ctx.stats().fallback, 1, "the ring refuses it to this user");
        // Without a priority an error is the operation's own.
        let write = ctx.write(b"x", &fd, 0);
        let error = within(Duration::from_secs(10), move || block_on(write)).0.expect_err("it is open for reading");
        assert_eq!((caio_core::errno(&error), ctx.stats().fallback), (Some(libc::EBADF), 1));
    });
}

/// The kernel can start no thread of its own for what it would carry out there.
#[test]
fn a_kernel_without_threads_of_its_own_is_not_asked_for_ever() {
    as_nobody("refused::a_kernel_without_threads_of_its_own_is_not_asked_for_ever", || {
        let Some(builder) = ring() else { return };
        let submissions = builder.submissions();
        let ctx = builder.build().expect("a context");
        let fd = caio_core::SharedFd::from(std::fs::File::open("/proc/self/exe").expect("this program"));
        // The thread that takes completions and one of the pool are there, and no other can be.
        assert_eq!(block_on(ctx.read(4, &fd, 0)).expect("a read"), b"\x7fELF");
        let (reader, mut writer) = pipe();
        writer.write_all(b"x").expect("a write");
        assert_eq!(block_on(ctx.read(1, &reader, NO_OFFSET)).expect("a read"), b"x");
        let positioned = fd.file().try_clone().expect("a descriptor").into();
        assert_eq!(block_on(ctx.read(4, &positioned, NO_OFFSET)).expect("a read"), b"\x7fELF");
        limit(Resource::Threads, 1);
        if std::thread::Builder::new().spawn(|| {}).is_ok() {
            return println!("SKIP: the limit of threads does not bind");
        }
        fd.learn(Fact::PromptSubmit, false);
        let (before, begun) = (submissions.load(Ordering::Relaxed), Instant::now());
        // No thread can watch over this one.
        let mut read = ctx.read(4, &fd, 0).submit();
        let read = loop {
            match poll_once(&mut read) {
                Poll::Ready(read) => break read,
                Poll::Pending => assert!(begun.elapsed() < Duration::from_secs(10), "it hangs"),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(read.expect("a read"), b"\x7fELF");
        let calls = submissions.load(Ordering::Relaxed) - before;
        println!("{calls} calls, {:?}", begun.elapsed());
        assert!(calls < 10 && begun.elapsed() < Duration::from_secs(2), "{calls} calls, {:?}", begun.elapsed());
    });
}

#[test]
fn less_memory_makes_a_smaller_ring() {
    as_nobody("refused::less_memory_makes_a_smaller_ring", as_a_user_with_little_memory);
}

#[test]
fn without_a_thread_to_take_completions_nothing_hangs() {
    as_nobody("refused::without_a_thread_to_take_completions_nothing_hangs", as_a_user_without_threads);
}

/// The kernel has no thread for us, and then it has.
fn as_a_user_without_threads() {
    let routes = Routes::all(Route::Ring);
    let ctx = match Uring::builder().routes(routes).max_requests(8).build() {
        Ok(ctx) => ctx,
        Err(refusal) => return println!("SKIP: {refusal}"),
    };
    let fd = caio_core::SharedFd::from(std::fs::File::open("/proc/self/exe").expect("this program"));
    let before = limit(Resource::Threads, 1);
    if std::thread::Builder::new().spawn(|| {}).is_ok() {
        return println!("SKIP: the limit of threads does not bind");
    }
    let error = block_on(ctx.read(4, &fd, 0)).expect_err("nobody can take its completion");
    assert_eq!(caio_core::errno(&error), Some(libc::EAGAIN), "{error}");
    limit(Resource::Threads, before);
    assert_eq!(block_on(ctx.read(4, &fd, 0)).expect("a read"), b"\x7fELF");
}

/// The kernel charges a ring's memory to the user.
fn as_a_user_with_little_memory() {
    limit(Resource::LockedMemory, 256 << 10);
    let routes = Routes::all(Route::Ring);
    let ctx = Uring::builder().routes(routes).max_requests(8192).build().expect("a smaller ring");
    println!("{} of 8192 requests", ctx.max_requests());
    if ctx.max_requests() == 8192 {
        return println!("SKIP: this kernel does not charge rings to RLIMIT_MEMLOCK");
    }
    let mut others = Vec::new();
    let refusal = loop {
        match Uring::builder().max_requests(8192).build() {
            Ok(ctx) => others.push(ctx),
            Err(refusal) => break refusal,
        }
        assert!(others.len() < 1000, "the limit binds");
    };
    assert!(refusal.to_string().contains("RLIMIT_MEMLOCK"), "{refusal}");
    let fd = caio_core::SharedFd::from(std::fs::File::open("/proc/self/exe").expect("this program"));
    assert_eq!(block_on(ctx.read(4, &fd, 0)).expect("a read"), b"\x7fELF");
}
