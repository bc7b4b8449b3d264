//! Whether this process is a fork of the one that made something.

use std::io;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use libc::{c_int, c_void};

/// The page that the kernel wipes in a child; null until somebody needed it. Never unmapped.
static PAGE: AtomicPtr<AtomicUsize> = AtomicPtr::new(ptr::null_mut());

/// The number of the next process that asks: a child goes on from where its parent was, so no two
/// processes of one line have the same.
static NEXT_GENERATION: AtomicUsize = AtomicUsize::new(1);

/// Tells a process from those that were forked from it.
///
/// A page of memory that every `fork(2)` or `clone(2)` wipes in the child (`madvise(2)`,
/// `MADV_WIPEONFORK`, Linux 4.14) holds the process's generation number; a detector remembers the
/// one that it was made under. No handler needs to run at the fork, and asking is one load. A
/// process that shares its parent's memory (`vfork(2)`, `CLONE_VM`) is no child in this sense. Where
/// the kernel has no such pages, process ids are compared.
///
/// ```
/// let detector = caio_sys::fork::ForkDetector::new();
/// assert!(!detector.is_child());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ForkDetector(Mark);

/// What a detector remembers of the process that made it.
#[derive(Clone, Copy, Debug)]
enum Mark {
    /// The page, and what it held.
    Generation(&'static AtomicUsize, usize),
    /// The process id, where there is no such page.
    ProcessId(u32),
}

impl ForkDetector {
    /// A detector of this process: in it `is_child` is false, in every fork of it true.
    ///
    /// Never blocks, so it may be made in a child of a process with many threads.
    ///
    /// ```
    /// let detector = caio_sys::fork::ForkDetector::new();
    /// # let _ = detector;
    /// ```
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        match page() {
            Ok(page) => Self(Mark::Generation(page, generation(page))),
            Err(_) => Self(Mark::ProcessId(process::id())),
        }
    }

    /// Whether this process was forked from the one that made the detector, directly or not.
    ///
    /// ```
    /// let detector = caio_sys::fork::ForkDetector::new();
    /// if detector.is_child() {
    ///     panic!("made before a fork");
    /// }
    /// ```
    #[inline]
    #[must_use]
    pub fn is_child(&self) -> bool {
        match self.0 {
            // Nothing else is published through the page, so the order does not matter.
            Mark::Generation(page, mine) => page.load(Ordering::Relaxed) != mine,
            Mark::ProcessId(mine) => process::id() != mine,
        }
    }
}

/// This process's generation; gives it one if it has none since it was forked.
fn generation(page: &AtomicUsize) -> usize {
    let current = page.load(Ordering::Relaxed);
    if current != 0 {
        return current;
    }
    let fresh = NEXT_GENERATION.fetch_add(1, Ordering::Relaxed);
    match page.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => fresh,
        Err(raced) => raced,
    }
}

/// The page that is wiped at a fork, made on first use.
///
/// Not a lock nor a `OnceLock`: a child that was forked while another thread held one would wait
/// for ever.
fn page() -> io::Result<&'static AtomicUsize> {
    let known = PAGE.load(Ordering::Acquire);
    if !known.is_null() {
        // SAFETY: only `map_page`'s result is ever stored, and what is stored is never unmapped.
        return Ok(unsafe { &*known });
    }
    let new = map_page()?;
    let raced = PAGE.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
    match raced {
        // SAFETY: the page is mapped for good, zeroed, and aligned for any integer.
        Ok(_) => Ok(unsafe { &*new }),
        Err(first) => {
            unmap_page(new);
            // SAFETY: as above, another thread's page.
            Ok(unsafe { &*first })
        }
    }
}

/// Maps a zeroed page that the kernel wipes in a child.
fn map_page() -> io::Result<*mut AtomicUsize> {
    // The kernel rounds the length up to a page.
    let len = size_of::<AtomicUsize>();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping wherever the kernel likes: nothing that exists is touched.
    let address = unsafe { libc::mmap(ptr::null_mut(), len, protection, kind, -1, 0) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // Some emulators say yes to any advice and follow none: ask them for one that does not exist.
    if advise(address, -1).is_ok() {
        unmap_page(address.cast());
        return Err(io::ErrorKind::Unsupported.into());
    }
    if let Err(error) = advise(address, libc::MADV_WIPEONFORK) {
        unmap_page(address.cast());
        return Err(error);
    }
    Ok(address.cast())
}

/// `madvise(2)` about a page that was not published.
fn advise(address: *mut c_void, advice: c_int) -> io::Result<()> {
    // SAFETY: `map_page` made the mapping, and it holds nothing yet.
    let advised = unsafe { libc::madvise(address, size_of::<AtomicUsize>(), advice) };
    if advised == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives back a page that was not published.
fn unmap_page(page: *mut AtomicUsize) {
    // SAFETY: the page comes from `map_page`, and no reference to it was made.
    let unmapped = unsafe { libc::munmap(page.cast(), size_of::<AtomicUsize>()) };
    debug_assert_eq!(unmapped, 0, "{}", io::Error::last_os_error());
}
