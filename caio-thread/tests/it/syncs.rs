//! Syncs of one file that wait together share a system call.

use crate::support::{Stall, block_on, file, pooled, workers};
use caio_core::{IoPriority, Outcome};
use futures::future::join_all;

#[test]
fn those_that_wait_share_a_call() {
    for portable in [false, true] {
        let mut settings = workers(1);
        settings.portable = portable;
        let (ctx, pool) = pooled(settings);
        let (one, two) = (file(), file());
        let stall = Stall::new(&ctx);
        let syncs: Vec<_> = (0..16)
            .flat_map(|_| [ctx.fsync(&one), ctx.fdsync(&one), ctx.fdsync(&two)])
            .map(caio_core::Operation::submit)
            .collect();
        drop(stall);
        assert!(block_on(join_all(syncs)).iter().all(Result::is_ok));
        assert_eq!(pool.counters().syncs, 2, "one for each file");
        block_on(ctx.fsync(&one)).unwrap();
        assert_eq!(pool.counters().syncs, 3, "one that came later is not served by one that was before");
    }
}

#[test]
fn each_can_be_cancelled() {
    let (ctx, pool) = pooled(workers(1));
    let fd = file();
    let stall = Stall::new(&ctx);
    let [first, second, third] = [(); 3].map(|()| ctx.fsync(&fd).submit());
    assert!(matches!(block_on(second.cancel()), Outcome::Cancelled(())));
    drop(stall);
    block_on(first).unwrap();
    block_on(third).unwrap();
    assert_eq!(pool.counters().syncs, 1);
}

#[test]
fn urgent_ones_and_those_of_a_pool_that_was_told_not_to_share_do_not() {
    let mut settings = workers(1);
    settings.coalesce_syncs = false;
    for (settings, priority) in [(settings, None), (workers(1), Some(IoPriority::BestEffort(7)))] {
        let (ctx, pool) = pooled(settings);
        let fd = file();
        let stall = Stall::new(&ctx);
        let sync = || match priority {
            Some(priority) => ctx.fsync(&fd).priority(priority).submit(),
            None => ctx.fsync(&fd).submit(),
        };
        let syncs: Vec<_> = (0..8).map(|_| sync()).collect();
        drop(stall);
        assert!(block_on(join_all(syncs)).iter().all(Result::is_ok));
        assert_eq!(pool.counters().syncs, 0, "none was shared");
    }
}

/// A call that fails is the failure of each that it served, and of none that came later.
#[cfg(unix)]
#[test]
fn an_error_reaches_everyone_that_it_concerns() {
    let (ctx, pool) = pooled(workers(1));
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let fd = caio_core::SharedFd::from(std::os::fd::OwnedFd::from(ours));
    let stall = Stall::new(&ctx);
    let syncs: Vec<_> = (0..5).map(|_| ctx.fsync(&fd).submit()).collect();
    drop(stall);
    let plain = fd.file().sync_all().unwrap_err();
    for result in block_on(join_all(syncs)) {
        assert_eq!(result.unwrap_err().raw_os_error(), plain.raw_os_error());
    }
    assert_eq!(pool.counters().syncs, 1);
}
