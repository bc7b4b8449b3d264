//! Buffered writes to one file share a lane, which holds nobody else up.

use crate::support::{Stall, block_on, file, pooled, started, workers};
use futures::future::join_all;

#[test]
fn writes_to_one_file_take_one_worker_and_keep_their_order() {
    let (ctx, pool) = pooled(workers(8));
    let fd = file();
    let stall = Stall::on(&ctx, &fd);
    let writes: Vec<_> = (0..=200u8).map(|at| ctx.write(vec![at; 100], &fd, 0).submit()).collect();
    if caio_core::support::cores() > 1 {
        assert_eq!(started(&pool), 1, "they queue behind the one that is going to search");
    } else {
        println!("SKIP: no worker searches where nobody else can run meanwhile");
    }
    drop(stall);
    assert!(block_on(join_all(writes)).iter().all(|(written, _)| matches!(written, Ok(100))));
    assert_eq!(block_on(ctx.read(200, &fd, 0)).unwrap(), [200; 100]);
}

#[test]
fn nothing_queues_behind_a_task_that_does_not_return() {
    let (ctx, pool) = pooled(workers(2));
    let (slow, other) = (file(), file());
    // The write is done, but its worker is stuck in the task that it woke.
    let stall = Stall::on(&ctx, &slow);
    assert_eq!(block_on(ctx.read(8, &slow, 0)).unwrap(), b"stall");
    assert_eq!(block_on(ctx.write(b"behind", &slow, 0)).0.unwrap(), 6);
    assert_eq!(block_on(ctx.write(b"other", &other, 0)).0.unwrap(), 5);
    block_on(ctx.fsync(&slow)).unwrap();
    assert_eq!((started(&pool), pool.in_flight()), (2, 0));
    drop(stall);
}

#[test]
fn a_long_lane_lets_other_work_have_its_turn() {
    let (ctx, _pool) = pooled(workers(1));
    let busy = file();
    let stall = Stall::new(&ctx);
    let writes: Vec<_> = (0..200u64).map(|at| ctx.write(b"x", &busy, at).submit()).collect();
    let read = ctx.read_into(vec![0; 300], &busy, 0).submit();
    drop(stall);
    // One worker does one thing at a time: what the read sees tells how far the lane was by then.
    let seen = block_on(read).0.unwrap();
    assert!((1..200).contains(&seen), "{seen} of 200 writes were done");
    assert_eq!(block_on(join_all(writes)).len(), 200);
}
