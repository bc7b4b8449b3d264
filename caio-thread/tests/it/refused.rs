//! What the system refuses to an ordinary user.

use crate::support::{block_on, file, pooled, started, workers};
use caio_conformance::kit::seccomp::{Refused, refuse_or_skip};
use caio_conformance::kit::{Resource, alone, as_nobody, limit, pipe};
use caio_core::IoPriority;
use std::io::ErrorKind;

#[test]
fn no_thread_can_be_started() {
    as_nobody("refused::no_thread_can_be_started", || {
        let (ctx, pool) = pooled(workers(4));
        let fd = file();
        let before = limit(Resource::Threads, 0);
        let (written, buf) = block_on(ctx.write(b"nobody".to_vec(), &fd, 0));
        if written.is_ok() {
            println!("SKIP: the limit on threads does not hold here");
            return;
        }
        assert_eq!((written.unwrap_err().kind(), buf.as_slice()), (ErrorKind::WouldBlock, &b"nobody"[..]));
        assert_eq!(block_on(ctx.fsync(&fd)).unwrap_err().kind(), ErrorKind::WouldBlock);
        let (reader, _writer) = pipe();
        let (read, _) = block_on(ctx.read_into(vec![0; 8], &reader, caio_core::NO_OFFSET));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!((pool.in_flight(), pool.counters().workers), (0, 0));
        limit(Resource::Threads, before);
        assert_eq!(block_on(ctx.write(b"somebody", &fd, 0)).0.unwrap(), 8);
        limit(Resource::Threads, 0);
        let writes: Vec<_> = (0..50).map(|_| ctx.write(b"x", &file(), 0).submit()).collect();
        for (written, _) in block_on(futures::future::join_all(writes)) {
            assert_eq!(written.unwrap(), 1, "the worker that is there does it");
        }
        assert_eq!(started(&pool), 1);
    });
}

/// A priority is a hint.
#[test]
fn a_priority_that_is_not_ours_to_use() {
    as_nobody("refused::a_priority_that_is_not_ours_to_use", || {
        let (ctx, _pool) = pooled(workers(1));
        let fd = file();
        for priority in [IoPriority::RealTime(0), IoPriority::BestEffort(7), IoPriority::Idle] {
            assert_eq!(block_on(ctx.write(b"urgent", &fd, 0).priority(priority)).0.unwrap(), 6);
        }
        assert_eq!(block_on(ctx.write(b"usual", &fd, 0)).0.unwrap(), 5);
    });
}

/// So it is where the system call is filtered.
#[test]
fn a_priority_that_cannot_be_set() {
    alone("refused::a_priority_that_cannot_be_set", || {
        if !refuse_or_skip(&[Refused::always(libc::SYS_ioprio_set, libc::EPERM)]) {
            return;
        }
        let (ctx, _pool) = pooled(workers(1));
        let fd = file();
        assert_eq!(block_on(ctx.write(b"urgent", &fd, 0).priority(IoPriority::BestEffort(0))).0.unwrap(), 6);
    });
}
