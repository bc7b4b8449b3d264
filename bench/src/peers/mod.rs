//! The ways to do file I/O that are compared, one file each.

use std::io;
use std::sync::Arc;

use crate::measure::Runner;
use crate::plan::Workload;
use crate::task::Job;

#[cfg(feature = "blocking")]
mod blocking;
#[cfg(feature = "caio")]
mod caio_peer;
#[cfg(feature = "compio")]
mod compio;
mod fio;
#[cfg(feature = "glommio")]
mod glommio;
#[cfg(feature = "monoio")]
mod monoio;
#[cfg(feature = "raw-ring")]
mod raw_ring;
mod threads;
#[cfg(feature = "tokio")]
mod tokio_blocking;
#[cfg(feature = "tokio-uring")]
mod tokio_uring;
#[cfg(feature = "uring-file")]
mod uring_file;

/// What a row stands for in the comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What the machine can do: plain threads, a bare ring, a bare system call.
    Limit,
    /// A library that programs use.
    Library,
    /// A program that measures itself.
    Tool,
    /// The library under test, its backend chosen automatically.
    Automatic,
    /// The library under test, one backend or driver alone.
    Forced,
}

/// How a peer uses threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One file and one instance serve all threads, or it has threads of its own.
    Shared,
    /// One runtime and one descriptor a thread, with nothing shared between them.
    PerThread,
    /// The same, but on one thread, however many the workload has.
    OneThread,
}

/// One row of the tables.
#[derive(Clone, Copy)]
pub struct Peer {
    /// The name on the command line.
    pub id: &'static str,
    /// The name in the tables.
    pub label: &'static str,
    /// What it stands for.
    pub kind: Kind,
    /// How it uses threads.
    pub shape: Shape,
    /// Whether it has a row for a workload.
    pub applies: fn(&Workload) -> bool,
    /// Sets it up for a workload; the reason of a failure is shown in its row.
    pub build: fn(&Arc<Job>) -> io::Result<Box<dyn Runner>>,
}

/// Every peer that was compiled in, in the order of the tables.
pub fn all() -> Vec<Peer> {
    let mut peers = vec![threads::PEER];
    #[cfg(feature = "raw-ring")]
    peers.extend(raw_ring::PEERS);
    #[cfg(feature = "raw-ring")]
    peers.push(raw_ring::ONE_THREAD);
    #[cfg(feature = "tokio")]
    peers.extend(tokio_blocking::PEERS);
    #[cfg(feature = "blocking")]
    peers.push(blocking::PEER);
    #[cfg(feature = "tokio-uring")]
    peers.extend(tokio_uring::PEERS);
    #[cfg(feature = "monoio")]
    peers.extend(monoio::PEERS);
    #[cfg(feature = "compio")]
    peers.extend(compio::PEERS);
    #[cfg(feature = "glommio")]
    peers.extend(glommio::PEERS);
    #[cfg(feature = "uring-file")]
    peers.push(uring_file::PEER);
    peers.extend(fio::PEERS);
    #[cfg(feature = "caio")]
    peers.extend(caio_peer::PEERS);
    peers
}

/// The peers that were left out when this program was built.
pub fn left_out() -> Vec<&'static str> {
    let peers = [
        ("raw-ring", cfg!(feature = "raw-ring")),
        ("tokio", cfg!(feature = "tokio")),
        ("blocking", cfg!(feature = "blocking")),
        ("tokio-uring", cfg!(feature = "tokio-uring")),
        ("monoio", cfg!(feature = "monoio")),
        ("compio", cfg!(feature = "compio")),
        ("glommio", cfg!(feature = "glommio")),
        ("uring-file", cfg!(feature = "uring-file")),
        ("caio", cfg!(feature = "caio")),
    ];
    peers.into_iter().filter(|(_, built)| !built).map(|(name, _)| name).collect()
}

/// The backend that the library under test chooses here, if it was compiled in.
pub fn chosen_backend() -> Option<String> {
    #[cfg(feature = "caio")]
    return Some(caio_peer::chosen_backend());
    #[cfg(not(feature = "caio"))]
    None
}

/// A peer of one runtime a thread, kept to one thread where the workload has several.
const fn on_one_thread(id: &'static str, label: &'static str, peer: Peer) -> Peer {
    Peer { id, label, shape: Shape::OneThread, applies: several_threads, ..peer }
}

/// The workloads that have several threads, but are not about their number.
fn several_threads(workload: &Workload) -> bool {
    workload.threads > 1 && !workload.name.starts_with("scale")
}

/// Every workload that does I/O.
fn does_io(workload: &Workload) -> bool {
    !workload.makes()
}
