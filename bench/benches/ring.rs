//! The cost of io_uring alone: cached reads that all take the ring.

use caio::uring::{Route, Routes, Uring};
use caio::{AlignedBuf, Context};
use divan::Bencher;
use divan::counter::ItemsCount;
use futures::executor::block_on;

use crate::cached::{BLOCK_BYTES, block, file, usable};

mod cached;

fn main() {
    if usable("uring", context()).is_some() {
        divan::main();
    }
}

/// Everything takes the ring.
fn context() -> std::io::Result<Context> {
    Uring::builder().routes(Routes::all(Route::Ring)).build()
}

/// Reads that are submitted one by one, so many in flight at a time.
#[divan::bench(consts = [1, 32], sample_count = 500, sample_size = 20, max_time = 1)]
fn read<const DEPTH: usize>(bencher: Bencher<'_, '_>) {
    let (context, fd) = (context().expect("main has looked"), file("ring-read"));
    let mut blocks: [Option<AlignedBuf>; DEPTH] = std::array::from_fn(|_| Some(block()));
    bencher.counter(ItemsCount::new(DEPTH)).bench_local(|| {
        let offset = |i: usize| (i * BLOCK_BYTES) as u64;
        let reads: [_; DEPTH] = std::array::from_fn(|i| {
            let block = blocks[i].take().expect("it came back");
            context.read_into(block, &fd, offset(i)).submit()
        });
        block_on(async {
            for (read, block) in reads.into_iter().zip(&mut blocks) {
                let (result, back) = read.await;
                assert_eq!(result.expect("a read"), BLOCK_BYTES);
                *block = Some(back);
            }
        });
    });
}

/// Reads that are submitted as one batch.
#[divan::bench(consts = [1, 32], sample_count = 500, sample_size = 20, max_time = 1)]
fn batch<const DEPTH: usize>(bencher: Bencher<'_, '_>) {
    let (context, fd) = (context().expect("main has looked"), file("ring-batch"));
    let mut blocks: [Option<AlignedBuf>; DEPTH] = std::array::from_fn(|_| Some(block()));
    bencher.counter(ItemsCount::new(DEPTH)).bench_local(|| {
        let mut batch = context.batch();
        let reads: [_; DEPTH] = std::array::from_fn(|i| {
            let block = blocks[i].take().expect("it came back");
            batch.read_into(block, &fd, (i * BLOCK_BYTES) as u64)
        });
        batch.submit().expect("an open context");
        block_on(async {
            for (read, block) in reads.into_iter().zip(&mut blocks) {
                let (result, back) = read.await;
                assert_eq!(result.expect("a read"), BLOCK_BYTES);
                *block = Some(back);
            }
        });
    });
}
