//! What is measured.

/// What one operation of a workload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// A read of one block.
    Read,
    /// A write of one block over one that is allocated.
    Write,
    /// A write of one block followed by fdatasync(2).
    WriteSync,
    /// Seven reads to three writes.
    Mixed,
    /// Making a context, a ring, or what else the peer does I/O through.
    Create,
    /// The same, and taking it down again.
    Cycle,
}

/// One workload.
#[derive(Debug)]
pub struct Workload {
    /// The name on the command line.
    pub name: &'static str,
    /// The heading of its table.
    pub title: &'static str,
    /// What one operation is.
    pub act: Act,
    /// Bytes an operation.
    pub block: usize,
    /// Operations in flight, over all threads.
    pub depth: usize,
    /// Threads that a thread-per-core peer gets.
    pub threads: usize,
    /// Workers that a work-stealing executor gets.
    pub workers: usize,
    /// Plain threads that the blocking reference gets.
    pub plain_threads: usize,
    /// Whether the file is opened with `O_DIRECT`.
    pub direct: bool,
    /// Whether the tasks together take block after block, as one that appends to a log does; else blocks at random.
    pub in_turn: bool,
    /// The row that stands for what the machine can do, if one does.
    pub limit: Option<&'static str>,
}

impl Workload {
    /// Whether it makes what I/O is done through, and does none.
    pub fn makes(&self) -> bool {
        matches!(self.act, Act::Create | Act::Cycle)
    }

    /// Whether it writes.
    pub fn writes(&self) -> bool {
        matches!(self.act, Act::Write | Act::WriteSync | Act::Mixed)
    }
}

/// The blocking reference.
pub const THREADS: &str = "threads";
/// A bare ring.
pub const RAW_RING: &str = "raw-ring";
/// The bare system call that makes a ring.
pub const RING_SETUP: &str = "ring-setup";
/// The workload that what a held context costs is reported with.
pub const CONTEXT: &str = "context";
/// What the workloads below have in common: 4 KiB, one operation in flight, one thread.
const BASE: Workload = Workload {
    name: "",
    title: "",
    act: Act::Read,
    block: 4096,
    depth: 1,
    threads: 1,
    workers: 2,
    plain_threads: 1,
    direct: false,
    in_turn: false,
    limit: Some(THREADS),
};

/// What the workloads have in common that sync each write.
const SYNCED: Workload = Workload { act: Act::WriteSync, depth: 32, plain_threads: 32, limit: None, ..BASE };

/// What the scaling workloads have in common.
const fn scaling(name: &'static str, title: &'static str, threads: usize) -> Workload {
    Workload { name, title, depth: 8 * threads, threads, workers: threads, plain_threads: threads, ..BASE }
}

/// Every workload, in the order of the report.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "cached-d1", title: "Cached 4 KiB read, 1 in flight", ..BASE },
    Workload {
        name: "cached-d32",
        title: "Cached 4 KiB read, 32 in flight on two threads",
        depth: 32,
        threads: 2,
        plain_threads: 2,
        ..BASE
    },
    Workload {
        name: "cached-64k-d32",
        title: "Cached 64 KiB read, 32 in flight on two threads",
        block: 64 << 10,
        depth: 32,
        threads: 2,
        plain_threads: 2,
        ..BASE
    },
    Workload { name: "cached-64k-d1", title: "Cached 64 KiB read, 1 in flight", block: 64 << 10, ..BASE },
    Workload { name: "cached-1m-d1", title: "Cached 1 MiB read, 1 in flight", block: 1 << 20, ..BASE },
    Workload { name: "direct-d1", title: "O_DIRECT 4 KiB read, 1 in flight", direct: true, ..BASE },
    Workload {
        name: "direct-d32",
        title: "O_DIRECT 4 KiB read, 32 in flight",
        depth: 32,
        plain_threads: 32,
        direct: true,
        limit: Some(RAW_RING),
        ..BASE
    },
    Workload { name: "write-d1", title: "Buffered 4 KiB write, 1 in flight", act: Act::Write, ..BASE },
    Workload {
        name: "write-d32",
        title: "Buffered 4 KiB write to one file, 32 in flight",
        act: Act::Write,
        depth: 32,
        ..BASE
    },
    Workload {
        name: "write-sync",
        title: "4 KiB write and fdatasync, 32 tasks on one file, blocks at random",
        ..SYNCED
    },
    Workload {
        name: "log-sync",
        title: "4 KiB write and fdatasync, 32 tasks on one file, block after block",
        in_turn: true,
        ..SYNCED
    },
    Workload {
        name: "mixed",
        title: "Mixed 4 KiB, 70 % cached reads and 30 % buffered writes of one file, 32 in flight on two threads",
        act: Act::Mixed,
        depth: 32,
        threads: 2,
        plain_threads: 2,
        ..BASE
    },
    scaling("scale-1", "Cached 4 KiB reads on 1 thread, 8 in flight on each", 1),
    scaling("scale-2", "Cached 4 KiB reads on 2 threads, 8 in flight on each", 2),
    scaling("scale-4", "Cached 4 KiB reads on 4 threads, 8 in flight on each", 4),
    scaling("scale-8", "Cached 4 KiB reads on 8 threads, 8 in flight on each", 8),
    Workload {
        name: "create",
        title: "Making a context of depth 128",
        act: Act::Create,
        depth: 128,
        limit: Some(RING_SETUP),
        ..BASE
    },
    Workload {
        name: CONTEXT,
        title: "Making and dropping a context of depth 128",
        act: Act::Cycle,
        depth: 128,
        limit: Some(RAW_RING),
        ..BASE
    },
];
