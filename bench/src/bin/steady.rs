//! One route's operations in the steady state and nothing else, for the cost gates to count instructions and system calls of.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use caio::thread::ThreadPool;
use caio::uring::{Route, Routes, Uring};
use caio::{AlignedBuf, BackendKind, Context, SharedFd};
use futures::executor::block_on;
use futures::future::try_join_all;

/// Bytes an operation.
const BLOCK_BYTES: usize = 4096;
/// Bytes in the file.
const FILE_BYTES: u64 = 1 << 20;
/// How long an operation that is awaited late is left alone: longer than a device takes.
const LATE: Duration = Duration::from_millis(1);
/// What `--help` prints.
const HELP: &str = "\
Carries out operations of one route with a buffer that is reused, on one core: there nobody looks
again for a while instead of sleeping, so that the counts depend on timing as little as can be.

usage: steady ROUTE OPERATIONS DIR

It makes a small file in DIR, which must be on a disk. Where the route cannot be had it prints
`SKIP: ` and the reason.
";

/// A way that an operation can take.
struct Way {
    /// What the command line calls it.
    name: &'static str,
    /// Makes the context that takes it.
    context: fn() -> io::Result<Context>,
    /// Whether the file is opened with `O_DIRECT`.
    direct: bool,
    /// Whether it writes.
    writes: bool,
    /// Operations in flight.
    depth: u64,
    /// Whether an operation is submitted, and awaited only when it has ended: else it depends on the device whether its
    /// future sleeps.
    late: bool,
}

/// A cached read by whatever the context does first.
const READ: Way = Way { name: "", context: Context::new, direct: false, writes: false, depth: 1, late: false };

/// All ways.
const WAYS: &[Way] = &[
    Way { name: "cached-inline", context: uring, ..READ },
    Way { name: "cached-ring", context: ring_alone, ..READ },
    Way { name: "cached-thread", context: || ThreadPool::builder().build(), ..READ },
    Way { name: "direct-ring-d1", context: uring, direct: true, late: true, ..READ },
    Way { name: "direct-ring-d32", context: uring, direct: true, depth: 32, ..READ },
    Way { name: "direct-aio", context: || Context::builder().backend(BackendKind::Aio).build(), direct: true, ..READ },
    Way { name: "write-pool", context: || ThreadPool::builder().build(), writes: true, ..READ },
];

/// io_uring with its own choice of routes.
fn uring() -> io::Result<Context> {
    Context::builder().backend(BackendKind::Uring).build()
}

/// io_uring and nothing inline.
fn ring_alone() -> io::Result<Context> {
    Uring::builder().routes(Routes::all(Route::Ring)).build()
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("steady: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line asks for.
fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [name, operations, dir] = arguments.as_slice() else {
        print!("{HELP}");
        return Err("takes three arguments".into());
    };
    let operations: u64 = operations.parse()?;
    let Some(way) = WAYS.iter().find(|way| way.name == name) else {
        let names: Vec<_> = WAYS.iter().map(|way| way.name).collect();
        return Err(format!("{name} is none of {}", names.join(", ")).into());
    };
    keep_to_one_core()?;
    let path = data(Path::new(dir))?;
    let context = match (way.context)() {
        Ok(context) => context,
        Err(error) => return skip(&error),
    };
    let fd = match open(&path, way) {
        Ok(file) => SharedFd::from(file),
        Err(error) if way.direct => return skip(&error),
        Err(error) => return Err(error.into()),
    };
    let tasks = (0..way.depth).map(|task| work(&context, &fd, way, task, operations / way.depth));
    match way.depth {
        1 => block_on(work(&context, &fd, way, 0, operations))?,
        _ => drop(block_on(try_join_all(tasks))?),
    }
    Ok(())
}

/// Binds this thread, and those that it will start, to the core that it runs on, see sched_setaffinity(2).
fn keep_to_one_core() -> io::Result<()> {
    // SAFETY: a call without arguments.
    let core = usize::try_from(unsafe { libc::sched_getcpu() }).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: a set of cores is plain words, of which none is invalid.
    let mut cores: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: a core that the system runs us on is one that the set has room for.
    unsafe { libc::CPU_SET(core, &mut cores) };
    // SAFETY: a set and its size, both only read.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&cores), &cores) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Says why the route cannot be had here.
fn skip(error: &io::Error) -> Result<(), Box<dyn Error>> {
    println!("SKIP: {error}");
    Ok(())
}

/// Makes the file, or takes the one that is there.
fn data(dir: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let path = dir.join("steady.dat");
    if fs::metadata(&path).map_or(0, |found| found.len()) != FILE_BYTES {
        fs::write(&path, vec![0x5a; FILE_BYTES as usize])?;
        File::open(&path)?.sync_all()?;
    }
    // Direct reads may have put it out of the cache.
    fs::read(&path)?;
    Ok(path)
}

/// Opens the file as the way wants it.
fn open(path: &Path, way: &Way) -> io::Result<File> {
    let flags = if way.direct { libc::O_DIRECT } else { 0 };
    File::options().read(true).write(way.writes).custom_flags(flags).open(path)
}

/// One task's operations, one after another, over the blocks of the file.
async fn work(context: &Context, fd: &SharedFd, way: &Way, task: u64, operations: u64) -> io::Result<()> {
    let mut buffer = AlignedBuf::zeroed(BLOCK_BYTES, BLOCK_BYTES);
    for operation in 0..operations {
        let offset = (task + operation) * BLOCK_BYTES as u64 % FILE_BYTES;
        let (result, back) = if way.writes {
            context.write(buffer, fd, offset).await
        } else if way.late {
            let read = context.read_into(buffer, fd, offset).submit();
            thread::sleep(LATE);
            read.await
        } else {
            context.read_into(buffer, fd, offset).await
        };
        let transferred = result?;
        if transferred != BLOCK_BYTES {
            return Err(io::Error::other(format!("short transfer: {transferred} bytes")));
        }
        buffer = back;
    }
    Ok(())
}
