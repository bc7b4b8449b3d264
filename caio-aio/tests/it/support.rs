//! What several tests need: contexts, files, pipes, processes of their own, and refusals of the kernel.

use caio_aio::{Aio, Routes};
use caio_core::{AlignedBuf, Context, SharedFd};
use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// A block that every device takes.
pub(crate) const BLOCK: usize = 4096;
/// The longest that a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Says why a test is not run.
pub(crate) fn skip(reason: impl std::fmt::Display) {
    println!("SKIP: {reason}");
}

/// A context; `None`, with the reason printed, where kernel AIO cannot be used here.
pub(crate) fn context(routes: Routes, max_requests: usize) -> Option<Context> {
    Aio::builder().routes(routes).max_requests(max_requests).build().map_err(skip).ok()
}

/// A file in the build's directory that is open with `O_DIRECT`, of `blocks` blocks on the disk, each filled with its number;
/// `None`, with the reason printed, where the file system has no direct I/O.
pub(crate) fn direct_file(blocks: usize) -> Option<SharedFd> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = format!("{}/direct-{}-{number}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let bytes: Vec<u8> = (0..blocks * BLOCK).map(|at| (at / BLOCK) as u8).collect();
    fs::write(&path, bytes).unwrap();
    let file = File::open(&path).unwrap();
    file.sync_all().unwrap();
    // A write that finds pages in the cache has to throw them away first, which counts as blocking.
    // SAFETY: the descriptor is open, and the call takes numbers only.
    assert_eq!(unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) }, 0);
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(&path);
    fs::remove_file(&path).unwrap();
    match opened {
        Ok(file) => Some(file.into()),
        Err(error) => {
            skip(format_args!("no O_DIRECT in {}: {error}", env!("CARGO_TARGET_TMPDIR")));
            None
        }
    }
}

/// An aligned buffer full of one byte.
pub(crate) fn block_of(byte: u8) -> AlignedBuf {
    let mut block = AlignedBuf::new(BLOCK, BLOCK);
    block.extend_from_slice(&[byte; BLOCK]);
    block
}

/// An aligned buffer with room for a block.
pub(crate) fn room() -> AlignedBuf {
    AlignedBuf::new(BLOCK, BLOCK)
}

/// The reading and the writing end of a pipe.
pub(crate) fn pipe() -> (SharedFd, File) {
    let mut fds = [-1; 2];
    // SAFETY: the kernel writes two descriptors to `fds`.
    let made = unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0, "{}", io::Error::last_os_error());
    // SAFETY: both were just opened, and nobody else knows them.
    let [reader, writer] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    (reader.into(), writer.into())
}

/// Polls a future until it has parked: until a poll does not wake its own task.
pub(crate) fn park(future: &mut (impl Future + Unpin)) {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    while woken.0.swap(false, Ordering::SeqCst) {
        assert!(Pin::new(&mut *future).poll(&mut TaskContext::from_waker(&waker)).is_pending());
    }
}

/// Waits until a condition holds that others bring about.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a test's body in a process of its own, where nothing else opens, closes or starts anything.
pub(crate) fn alone(name: &str, body: fn()) {
    const ALONE: &str = "CAIO_AIO_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"]).env(ALONE, "1");
    let output = command.output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "there is no test {name}");
}

/// How many kernel AIO contexts this process has: each maps its ring.
pub(crate) fn kernel_contexts() -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains("[aio]")).count()
}

/// How many entries a directory of this process in /proc has.
pub(crate) fn own(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

/// A system call that is refused: its number, the argument and the value above which it is (`None`: always), and the errno.
pub(crate) type Refused = (libc::c_long, Option<(u32, u32)>, i32);

/// Has the kernel refuse system calls of the calling thread, and of those that it starts, for good. `false`, with the reason
/// printed, where that is not possible.
pub(crate) fn refuse_here(refused: &[Refused]) -> bool {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut program = Vec::new();
    for &(number, above, errno) in refused {
        let answer = step(RETURN, libc::SECCOMP_RET_ERRNO | errno as u32, 0, 0);
        program.push(step(LOAD, 0, 0, 0));
        match above {
            None => program.extend([step(EQUAL, number as u32, 0, 1), answer]),
            Some((argument, limit)) => program.extend([
                step(EQUAL, number as u32, 0, 3),
                step(LOAD, 16 + 8 * argument + if cfg!(target_endian = "big") { 4 } else { 0 }, 0, 0),
                step(GREATER, limit, 0, 1),
                answer,
            ]),
        }
    }
    program.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: numbers only.
    let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } == 0;
    // SAFETY: the program and its description are alive during the call, which copies them.
    let set = promised
        && unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter, 0, 0) } == 0;
    if !set {
        skip(format_args!("seccomp filters are refused: {}", io::Error::last_os_error()));
    }
    set
}
