//! A bare io_uring, one a thread, with no executor above it; and the system call that makes one.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use io_uring::{IoUring, opcode, types};

use crate::buffer::Block;
use crate::lane::Lanes;
use crate::measure::{Maker, Runner};
use crate::peers::{Kind, Peer, Shape, on_one_thread};
use crate::plan::{RAW_RING, RING_SETUP, Workload};
use crate::task::{Job, Step, Task};

/// The rows.
pub(super) const PEERS: [Peer; 2] = [
    Peer { id: RAW_RING, label: "raw ring", kind: Kind::Limit, shape: Shape::PerThread, applies: |_| true, build },
    Peer {
        id: RING_SETUP,
        label: "io_uring_setup(2) alone",
        kind: Kind::Limit,
        shape: Shape::PerThread,
        applies: Workload::makes,
        build: |job| {
            let depth = job.workload.depth as u32;
            Ok(Maker::of(job.workload, move || setup(depth)))
        },
    },
];

/// The same ring on one thread.
pub(super) const ONE_THREAD: Peer = on_one_thread("raw-ring-1t", "raw ring, one thread", PEERS[0]);

/// Size of the kernel's `struct io_uring_params`.
const PARAMS_BYTES: usize = 120;

/// One operation's place in the ring.
struct Slot {
    /// What to do.
    task: Task,
    /// What to do it with; at rest while the operation is in flight.
    block: Block,
}

/// One ring a thread, or, to measure their making, nothing but rings.
fn build(job: &Arc<Job>) -> io::Result<Box<dyn Runner>> {
    let job = job.clone();
    let lanes = job.threads;
    if job.workload.makes() {
        let depth = job.workload.depth as u32;
        return Ok(Maker::of(job.workload, move || IoUring::new(depth)));
    }
    Lanes::start(lanes, move |lane| {
        let file = job.open()?;
        let mut ring = ring(job.workload.depth as u32)?;
        let job = job.clone();
        Ok(Box::new(move |round| {
            let tasks = job.tasks(round, lane, lanes).into_iter();
            let mut slots: Vec<Slot> = tasks.map(|task| Slot { block: task.block(), task }).collect();
            let result = work(&mut ring, file.as_raw_fd(), &mut slots);
            if result.is_err() {
                // The kernel may still write to these.
                slots.drain(..).for_each(std::mem::forget);
            }
            result
        }))
    })
}

/// A ring for one thread, with the flags that suit that where the kernel has them (Linux 6.0).
fn ring(depth: u32) -> io::Result<IoUring> {
    IoUring::builder().setup_single_issuer().setup_coop_taskrun().build(depth).or_else(|_| IoUring::new(depth))
}

/// Keeps every slot in flight until its task ends.
fn work(ring: &mut IoUring, fd: RawFd, slots: &mut [Slot]) -> io::Result<u64> {
    let mut in_flight = 0;
    for (i, slot) in slots.iter_mut().enumerate() {
        in_flight += usize::from(push(ring, fd, slot, i)?);
    }
    let mut done = Vec::with_capacity(slots.len());
    while in_flight > 0 {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        done.extend(ring.completion().map(|entry| (entry.user_data() as usize, entry.result())));
        for (i, result) in done.drain(..) {
            let slot = &mut slots[i];
            let result = match result {
                0.. => Ok(result as usize),
                _ => Err(io::Error::from_raw_os_error(-result)),
            };
            slot.task.done(result, &slot.block)?;
            in_flight -= 1;
            in_flight += usize::from(push(ring, fd, slot, i)?);
        }
    }
    Ok(slots.iter().map(|slot| slot.task.ops()).sum())
}

/// Queues a slot's next operation, if its task has one.
fn push(ring: &mut IoUring, fd: RawFd, slot: &mut Slot, index: usize) -> io::Result<bool> {
    let Some(step) = slot.task.next_step(&mut slot.block) else {
        return Ok(false);
    };
    let fd = types::Fd(fd);
    let size = slot.block.capacity() as u32;
    let entry = match step {
        Step::Read(at) => opcode::Read::new(fd, slot.block.as_mut_ptr(), size).offset(at).build(),
        Step::Write(at) => opcode::Write::new(fd, slot.block.as_ptr(), size).offset(at).build(),
        Step::Sync => opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build(),
    };
    // SAFETY: the block stays in its slot, and the slots outlive the operation: `work` returns
    // only when nothing is in flight, or with an error upon which its caller leaks the slots.
    unsafe { ring.submission().push(&entry.user_data(index as u64)) }.map_err(io::Error::other)?;
    Ok(true)
}

/// io_uring_setup(2), and nothing mapped.
fn setup(depth: u32) -> io::Result<OwnedFd> {
    let mut params = MaybeUninit::<[u64; PARAMS_BYTES / 8]>::zeroed();
    // SAFETY: zeroed room for one io_uring_params, which is 120 bytes in every version of the ABI.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, depth, params.as_mut_ptr()) };
    match RawFd::try_from(fd) {
        // SAFETY: a descriptor that the kernel has just made, owned by nobody else.
        Ok(fd @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
