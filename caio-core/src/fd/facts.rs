//! What is known about a file: each fact is asked once, and kept in one place.

use super::SharedFd;
use crate::platform;
use crate::sync::atomic::{AtomicU32, Ordering};

/// What kind of file it is, by its type alone: `stat(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A block device.
    Block,
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A character device, such as a terminal.
    Character,
    /// Anything else, such as an `eventfd(2)` or a `timerfd_create(2)`.
    Other,
}

impl FileKind {
    /// All of them, in the order of their numbers.
    const ALL: [Self; 7] =
        [Self::Regular, Self::Directory, Self::Block, Self::Pipe, Self::Socket, Self::Character, Self::Other];

    /// Whether a transfer may have to wait for somebody else: for all but regular files,
    /// directories and block devices.
    #[must_use]
    pub const fn may_wait(self) -> bool {
        !matches!(self, Self::Regular | Self::Directory | Self::Block)
    }

    /// Whether closing the last descriptor may wait: for a socket with `SO_LINGER`, for what a
    /// terminal has not sent.
    pub(crate) const fn close_may_wait(self) -> bool {
        matches!(self, Self::Socket | Self::Character | Self::Other)
    }
}

/// What backends learn about a file. A wrong fact costs time, never a wrong result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// Its reads know `RWF_NOWAIT`.
    NowaitReads,
    /// Its writes know `RWF_NOWAIT`.
    NowaitWrites,
    /// It is a regular file without a disk: any read of it is a copy.
    InMemory,
    /// Each write waits for the disk, whatever its flags say.
    SyncWrites,
    /// Its `O_DIRECT` writes can be asked not to block the call that submits them.
    NowaitDirectWrites,
    /// Submitting to it waits for nobody.
    PromptSubmit,
    /// Its device can be polled for completions.
    PolledDevice,
}

/// Bit 0 to 3: the kind, and one more; 0 while it is unknown.
const KIND: u32 = 0xf;
/// Bit 4: whether it is open with `O_DIRECT`; known together with the kind.
const DIRECT: u32 = 1 << 4;
/// From here on each fact has two bits: whether it is known, and whether it holds.
const FIRST: u32 = 8;

/// How many misses in a row make the inline route not worth trying.
const MAX_MISSES: u32 = 4;
/// How many operations go by before the inline route is tried again.
const PAUSE: u32 = 256;

/// What a file's operations have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traits {
    /// They may have to wait for somebody else.
    Stream,
    /// They pass the page cache by.
    Direct,
    /// They go through it.
    Cached,
}

/// What is known about a file.
#[derive(Debug)]
pub(super) struct Facts {
    /// The kind, and the facts.
    bits: AtomicU32,
    /// Consecutive misses of the inline route; from `MAX_MISSES` on, how far its pause has gone.
    misses: AtomicU32,
}

impl Facts {
    /// Nothing is known.
    pub(super) fn new() -> Self {
        Self { bits: AtomicU32::new(0), misses: AtomicU32::new(0) }
    }

    /// Nothing is known any more.
    pub(super) fn forget(&self) {
        self.bits.store(0, Ordering::Relaxed);
        self.misses.store(0, Ordering::Relaxed);
    }

    /// The kind, if it was asked.
    pub(super) fn known_kind(&self) -> Option<FileKind> {
        kind(self.bits.load(Ordering::Relaxed))
    }
}

/// The kind that bits tell.
#[inline]
fn kind(bits: u32) -> Option<FileKind> {
    FileKind::ALL.get(((bits & KIND) as usize).wrapping_sub(1)).copied()
}

impl SharedFd {
    /// What kind of file it is, asked of the system once. No server of a network file system is
    /// asked.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::{FileKind, SharedFd};
    /// let fd: SharedFd = tempfile::tempfile()?.into();
    /// assert_eq!(fd.kind(), FileKind::Regular);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn kind(&self) -> FileKind {
        kind(self.bits()).unwrap_or(FileKind::Other)
    }

    /// Whether a transfer may have to wait for somebody else, as on a pipe, a socket or a terminal.
    /// Such files have no offsets.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// let offset = if fd.is_stream() { caio_core::NO_OFFSET } else { 0 };
    /// assert_eq!(offset, 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn is_stream(&self) -> bool {
        self.kind().may_wait()
    }

    /// Whether the file was opened with `O_DIRECT`. Asked of the system once.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use caio_core::AlignedBuf;
    /// let fd: caio_core::SharedFd = tempfile::tempfile()?.into();
    /// let buf = if fd.is_direct() { AlignedBuf::new(4096, 4096) } else { AlignedBuf::new(100, 1) };
    /// assert_eq!(buf.capacity(), 100);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[inline]
    pub fn is_direct(&self) -> bool {
        self.bits() & DIRECT != 0
    }

    /// What its operations have in common.
    #[inline]
    pub(crate) fn traits(&self) -> Traits {
        /// The first kind that may wait, as a number of the bits.
        const MAY_WAIT: u32 = FileKind::Pipe as u32 + 1;
        let bits = self.bits();
        match () {
            () if bits & KIND >= MAY_WAIT => Traits::Stream,
            () if bits & DIRECT != 0 => Traits::Direct,
            () => Traits::Cached,
        }
    }

    /// Whether a fact holds; `ask` is called where that is not known.
    #[inline]
    pub fn fact(&self, fact: Fact, ask: impl FnOnce() -> bool) -> bool {
        self.known(fact).unwrap_or_else(|| {
            let holds = ask();
            self.learn(fact, holds);
            holds
        })
    }

    /// Whether a fact holds, where that is known.
    #[must_use]
    #[inline]
    pub fn known(&self, fact: Fact) -> Option<bool> {
        let bits = self.facts().bits.load(Ordering::Relaxed) >> (FIRST + 2 * fact as u32);
        (bits & 1 != 0).then_some(bits & 2 != 0)
    }

    /// A fact holds, or does not.
    pub fn learn(&self, fact: Fact, holds: bool) {
        let at = FIRST + 2 * fact as u32;
        let bits = &self.facts().bits;
        if !holds {
            bits.fetch_and(!(2 << at), Ordering::Relaxed);
        }
        bits.fetch_or(if holds { 3 } else { 1 } << at, Ordering::Relaxed);
    }

    /// Whether the inline route is worth a try: not after repeated misses, until some operations
    /// have gone by.
    #[must_use]
    #[inline]
    pub fn inline_is_worthwhile(&self) -> bool {
        let counter = &self.facts().misses;
        let misses = counter.load(Ordering::Relaxed);
        if misses < MAX_MISSES {
            return true;
        }
        let passed = if misses >= MAX_MISSES + PAUSE { MAX_MISSES - 1 } else { misses + 1 };
        counter.store(passed, Ordering::Relaxed);
        passed < MAX_MISSES
    }

    /// The inline route served an operation: earlier misses no longer count.
    #[inline]
    pub fn inline_hit(&self) {
        if self.facts().misses.load(Ordering::Relaxed) != 0 {
            self.facts().misses.store(0, Ordering::Relaxed);
        }
    }

    /// The inline route was of no use to an operation.
    pub fn inline_missed(&self) {
        self.facts().misses.fetch_add(1, Ordering::Relaxed);
    }

    /// The facts, the kind among them.
    #[inline]
    fn bits(&self) -> u32 {
        let bits = self.facts().bits.load(Ordering::Relaxed);
        if bits & KIND != 0 { bits } else { self.ask_kind() }
    }

    /// Asks the system what kind of file it is.
    #[cold]
    fn ask_kind(&self) -> u32 {
        let kind = platform::kind(self.file());
        let direct = if !kind.may_wait() && platform::is_direct(self.file()) { DIRECT } else { 0 };
        let known = (kind as u32 + 1) | direct;
        self.facts().bits.fetch_or(known, Ordering::Relaxed) | known
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Some file.
    fn file() -> SharedFd {
        tempfile::tempfile().unwrap().into()
    }

    #[test]
    fn kinds_that_may_wait_come_after_those_that_do_not() {
        let mut may_wait = FileKind::ALL.map(FileKind::may_wait).into_iter();
        assert!(may_wait.by_ref().take(FileKind::Pipe as usize).all(|waits| !waits));
        assert!(may_wait.all(|waits| waits));
    }

    #[test]
    fn facts_have_bits_of_their_own() {
        let fd = file();
        let all = [
            Fact::NowaitReads,
            Fact::NowaitWrites,
            Fact::InMemory,
            Fact::SyncWrites,
            Fact::NowaitDirectWrites,
            Fact::PromptSubmit,
            Fact::PolledDevice,
        ];
        for (index, fact) in all.into_iter().enumerate() {
            assert_eq!(fd.known(fact), None);
            fd.learn(fact, index % 2 == 0);
        }
        let known: Vec<_> = all.into_iter().map(|fact| fd.known(fact)).collect();
        assert_eq!(known, (0..7).map(|index| Some(index % 2 == 0)).collect::<Vec<_>>());
        assert_eq!((fd.kind(), fd.is_direct()), (FileKind::Regular, false));
    }

    #[test]
    fn a_fact_is_asked_once_and_can_change() {
        let fd = file();
        assert!(fd.fact(Fact::InMemory, || true));
        assert!(fd.fact(Fact::InMemory, || unreachable!("it was asked")));
        fd.learn(Fact::InMemory, false);
        assert_eq!(fd.clone().known(Fact::InMemory), Some(false));
    }

    #[test]
    fn misses_make_a_pause() {
        let fd = file();
        (0..3).for_each(|_| fd.inline_missed());
        assert!(fd.inline_is_worthwhile());
        fd.inline_missed();
        let tries = (0..2 * PAUSE).filter(|_| fd.inline_is_worthwhile()).count();
        assert!(tries > 0 && tries < 2 * PAUSE as usize, "{tries}");
        fd.inline_hit();
        assert!(fd.inline_is_worthwhile());
    }
}
