//! A cached read and a buffered write by each route, one in flight.

use std::fmt;
use std::io;

use caio::uring::{Route, Routes, Uring};
use caio::{BackendKind, Context};
use divan::Bencher;
use futures::executor::block_on;

use crate::cached::{BLOCK_BYTES, block, file, usable};

mod cached;

fn main() {
    divan::main();
}

/// A way that operations can be made to take.
struct Way {
    /// What the table calls it.
    name: &'static str,
    /// Makes the context that takes it.
    context: fn() -> io::Result<Context>,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Those that can be had here.
fn ways() -> Vec<Way> {
    let mut ways = vec![
        Way { name: "uring", context: || Context::builder().backend(BackendKind::Uring).build() },
        Way { name: "uring, ring alone", context: || Uring::builder().routes(Routes::all(Route::Ring)).build() },
        Way { name: "uring, pool alone", context: || Uring::builder().routes(Routes::all(Route::Pool)).build() },
        Way { name: "aio", context: || Context::builder().backend(BackendKind::Aio).build() },
        Way { name: "thread", context: || Context::builder().backend(BackendKind::Thread).build() },
    ];
    ways.retain(|way| usable(way.name, (way.context)()).is_some());
    ways
}

/// A cached read.
#[divan::bench(args = ways(), sample_count = 500, sample_size = 20, max_time = 1)]
fn read(bencher: Bencher<'_, '_>, way: &Way) {
    let (context, fd) = ((way.context)().expect("it was usable a moment ago"), file("routes-read"));
    let mut kept = Some(block());
    bencher.bench_local(|| {
        let block = kept.take().expect("it came back");
        let (result, block) = block_on(context.read_into(block, &fd, 0));
        assert_eq!(result.expect("a read"), BLOCK_BYTES);
        kept = Some(block);
    });
}

/// A write over a block that is allocated.
#[divan::bench(args = ways(), sample_count = 500, sample_size = 20, max_time = 1)]
fn write(bencher: Bencher<'_, '_>, way: &Way) {
    let (context, fd) = ((way.context)().expect("it was usable a moment ago"), file("routes-write"));
    let mut kept = Some(block());
    bencher.bench_local(|| {
        let block = kept.take().expect("it came back");
        let (result, block) = block_on(context.write(block, &fd, 0));
        assert_eq!(result.expect("a write"), BLOCK_BYTES);
        kept = Some(block);
    });
}
