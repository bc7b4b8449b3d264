//! What a context costs that is only held: resident memory, and threads that wake up although nobody asks for anything.
//!
//! A process of its own measures it, in which nothing else has run: this program, started again with `--footprint`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::targets::TARGETS;

/// Contexts that are held while memory is measured.
const HELD: usize = 100;
/// The bound on operations in flight of each, and the depth of the bare ring.
const DEPTH: usize = 128;
/// How long threads have to fall asleep after the last operation.
const SETTLING: Duration = Duration::from_millis(200);
/// The idle time in which switches are counted.
const IDLE: Duration = Duration::from_secs(1);

/// What one kind of context costs.
pub struct Footprint {
    /// Its name in JSON and for the process that measures.
    pub id: &'static str,
    /// Its name in the table.
    pub label: &'static str,
    /// What was measured, or why it was not.
    pub outcome: Result<Held, String>,
}

/// What was measured.
#[derive(Clone, Copy)]
pub struct Held {
    /// Resident memory of one.
    pub memory_kib: f64,
    /// Voluntary switches of all other threads in the idle second.
    pub switches: u64,
}

impl Footprint {
    /// Whether the targets are about it.
    pub fn is_ours(&self) -> bool {
        self.id.starts_with("caio")
    }
}

impl Held {
    /// Whether memory and idleness are as they have to be.
    pub fn meets(self) -> (bool, bool) {
        (self.memory_kib < TARGETS.held.resident_kib, self.switches == TARGETS.held.idle_switches)
    }
}

/// What is held.
struct Kind {
    /// Its name in JSON and for the process that measures.
    id: &'static str,
    /// Its name in the table.
    label: &'static str,
    /// Measures it, on the files in a directory.
    measure: fn(&Path) -> io::Result<Held>,
}

/// All that can be held.
const KINDS: &[Kind] = &[
    #[cfg(feature = "raw-ring")]
    Kind { id: "raw-ring", label: "raw ring", measure: bare::measure },
    #[cfg(feature = "caio")]
    Kind { id: "caio-auto", label: "caio Context", measure: |dir| library::measure(None, dir) },
    #[cfg(feature = "caio")]
    Kind {
        id: "caio-uring",
        label: "caio Context, io_uring",
        measure: |dir| library::measure(Some(caio::BackendKind::Uring), dir),
    },
    #[cfg(feature = "caio")]
    Kind {
        id: "caio-aio",
        label: "caio Context, kernel AIO",
        measure: |dir| library::measure(Some(caio::BackendKind::Aio), dir),
    },
    #[cfg(feature = "caio")]
    Kind {
        id: "caio-thread",
        label: "caio Context, threads",
        measure: |dir| library::measure(Some(caio::BackendKind::Thread), dir),
    },
];

/// Measures all of them, each in a process of its own.
pub fn measure_all(dir: &Path) -> Vec<Footprint> {
    let measure = |kind: &Kind| Footprint { id: kind.id, label: kind.label, outcome: elsewhere(kind.id, dir) };
    KINDS.iter().map(measure).collect()
}

/// What the process that was started with `--footprint ID` does: prints the two figures.
pub fn measure_here(id: &str, dir: &Path) -> io::Result<()> {
    let kind = KINDS.iter().find(|kind| kind.id == id);
    let kind = kind.ok_or_else(|| io::Error::other(format!("{id} is nothing that can be held")))?;
    let held = (kind.measure)(dir)?;
    println!("{} {}", held.memory_kib, held.switches);
    Ok(())
}

/// Has another process measure.
fn elsewhere(id: &str, dir: &Path) -> Result<Held, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program).args(["--footprint", id, "--dir"]).arg(dir).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut figures = said.split_whitespace();
    let memory_kib = figures.next().and_then(|figure| figure.parse().ok());
    let switches = figures.next().and_then(|figure| figure.parse().ok());
    match (memory_kib, switches) {
        (Some(memory_kib), Some(switches)) => Ok(Held { memory_kib, switches }),
        _ => Err(format!("no figures in {said:?}")),
    }
}

/// Measures what `make` makes; `work` does something with one of them.
#[cfg(any(feature = "raw-ring", feature = "caio"))]
fn measure<T>(make: impl Fn() -> io::Result<T>, work: impl FnOnce(&mut T) -> io::Result<()>) -> io::Result<Held> {
    // What the first one takes for all is not counted.
    let mut first = make()?;
    let before = resident_kib()?;
    let held = (0..HELD).map(|_| make()).collect::<io::Result<Vec<_>>>()?;
    let memory_kib = (resident_kib()? - before) / HELD as f64;
    drop(held);
    work(&mut first)?;
    std::thread::sleep(SETTLING);
    let before = switches_of_others()?;
    std::thread::sleep(IDLE);
    let after = switches_of_others()?;
    Ok(Held { memory_kib, switches: woken(&before, &after) })
}

/// A bare io_uring.
#[cfg(feature = "raw-ring")]
mod bare {
    use super::{DEPTH, Held};
    use std::io;
    use std::path::Path;

    /// Measures it.
    pub(super) fn measure(_dir: &Path) -> io::Result<Held> {
        super::measure(|| io_uring::IoUring::new(DEPTH as u32), |_| Ok(()))
    }
}

/// The library under test.
#[cfg(feature = "caio")]
mod library {
    use super::{DEPTH, Held};
    use caio::{AlignedBuf, BackendKind, Context, SharedFd};
    use futures::executor::block_on;
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;

    /// Operations of each kind before the idle time.
    const OPERATIONS: u64 = 64;
    /// Bytes an operation.
    const BLOCK_BYTES: usize = 4096;

    /// Measures it with the backend that is chosen automatically, or with one alone.
    pub(super) fn measure(backend: Option<BackendKind>, dir: &Path) -> io::Result<Held> {
        let make = || {
            let builder = Context::builder().max_requests(DEPTH);
            backend.map_or(builder.clone(), |backend| builder.backend(backend)).build()
        };
        super::measure(make, |context| block_on(work(context, dir)))
    }

    /// Operations of each route: cached reads, direct ones, writes, a sync.
    async fn work(context: &Context, dir: &Path) -> io::Result<()> {
        let cached = SharedFd::from(File::options().read(true).write(true).open(dir.join("write.dat"))?);
        let direct =
            SharedFd::from(File::options().read(true).custom_flags(libc::O_DIRECT).open(dir.join("read.dat"))?);
        let mut buffer = AlignedBuf::zeroed(BLOCK_BYTES, BLOCK_BYTES);
        for offset in (0..OPERATIONS).map(|operation| operation * BLOCK_BYTES as u64) {
            let (result, back) = context.read_into(buffer, &cached, offset).await;
            result?;
            // What was read is written back.
            let (result, back) = context.write(back, &cached, offset).await;
            result?;
            let (result, back) = context.read_into(back, &direct, offset).await;
            result?;
            buffer = back;
        }
        context.fdsync(&cached).await
    }
}

/// Resident memory of this process, see proc_pid_status(5).
fn resident_kib() -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    Ok(field(&status, "VmRSS:").ok_or_else(|| io::Error::other("no VmRSS in /proc/self/status"))? as f64)
}

/// The voluntary switches of each thread of this process but the calling one, which is its first.
fn switches_of_others() -> io::Result<BTreeMap<String, u64>> {
    let own = std::process::id().to_string();
    let mut switches = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        let id = entry.file_name().to_string_lossy().into_owned();
        // A thread that has just ended has no status.
        if let (false, Ok(status)) = (id == own, fs::read_to_string(entry.path().join("status"))) {
            switches.insert(id, field(&status, "voluntary_ctxt_switches:").unwrap_or(0));
        }
    }
    Ok(switches)
}

/// How often threads woke up between two counts: one that is new or has ended has woken up as well.
fn woken(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
    let alive = after.iter().map(|(id, count)| before.get(id).map_or(1, |was| count - was));
    let ended = before.keys().filter(|id| !after.contains_key(*id)).count() as u64;
    alive.sum::<u64>() + ended
}

/// The number behind a name at the start of a line.
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{field, switches_of_others, woken};
    use std::collections::BTreeMap;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "VmRSS:\t    1234 kB\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n";
        assert_eq!(field(status, "VmRSS:"), Some(1234));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(5));
        assert_eq!(field(status, "VmPin:"), None);
    }

    #[test]
    fn a_thread_that_wakes_up_is_seen() {
        let (stop, stopped) = channel::<()>();
        let restless =
            thread::spawn(
                move || {
                    while stopped.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {}
                },
            );
        let before = switches_of_others().unwrap();
        while woken(&before, &switches_of_others().unwrap()) < 20 {
            thread::yield_now();
        }
        drop(stop);
        restless.join().unwrap();
    }

    #[test]
    fn threads_that_come_and_go_have_woken_up() {
        let counts = |counts: &[(&str, u64)]| counts.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect();
        let before: BTreeMap<String, u64> = counts(&[("1", 5), ("2", 7)]);
        assert_eq!(woken(&before, &before), 0);
        assert_eq!(woken(&before, &counts(&[("1", 8), ("3", 9)])), 3 + 1 + 1);
    }
}
