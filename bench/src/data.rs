//! The files under test: known contents, a real disk, and the page cache in a known state.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Size of the file that is read.
const READ_FILE_BYTES: u64 = 256 << 20;
/// Size of the file that is written: small enough that write-back never throttles the writers.
const WRITE_FILE_BYTES: u64 = 32 << 20;
/// How much is written and read at once outside of the measurements.
const CHUNK_BYTES: usize = 1 << 20;

/// The two files under test.
pub struct Data {
    /// Only ever read; holds the pattern throughout.
    pub read_path: PathBuf,
    /// Overwritten in place; all its blocks are allocated.
    pub write_path: PathBuf,
}

impl Data {
    /// Makes the files in `dir`, or takes those that are there and whole.
    pub fn make(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let data = Self { read_path: dir.join("read.dat"), write_path: dir.join("write.dat") };
        if !is_whole(&data.read_path, READ_FILE_BYTES) {
            write_pattern(&data.read_path, READ_FILE_BYTES)?;
        }
        write_pattern(&data.write_path, WRITE_FILE_BYTES)?;
        Ok(data)
    }

    /// Bytes in the file that is read, or in the one that is written.
    pub fn size(writes: bool) -> u64 {
        if writes { WRITE_FILE_BYTES } else { READ_FILE_BYTES }
    }

    /// Writes back what is dirty and reads both files once, so that every page is cached and clean.
    pub fn warm(&self) -> io::Result<()> {
        self.settle()?;
        let mut chunk = vec![0; CHUNK_BYTES];
        for path in [&self.read_path, &self.write_path] {
            let file = File::open(path)?;
            let mut at = 0;
            loop {
                let n = file.read_at(&mut chunk, at)?;
                if n == 0 {
                    break;
                }
                at += n as u64;
            }
        }
        Ok(())
    }

    /// Writes back what is dirty and drops the read file from the page cache.
    pub fn evict(&self) -> io::Result<()> {
        self.settle()?;
        let file = File::open(&self.read_path)?;
        // SAFETY: a valid descriptor, and advice about the whole of its file.
        let errno = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
    }

    /// Writes back what earlier rounds left dirty.
    fn settle(&self) -> io::Result<()> {
        File::open(&self.write_path)?.sync_all()
    }
}

/// Fills `bytes` with the pattern that belongs at `offset` of either file.
pub fn fill(bytes: &mut [u8], offset: u64) {
    for (i, word) in bytes.chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(&pattern(offset + 8 * i as u64).to_le_bytes());
    }
}

/// Whether `bytes` is the pattern that belongs at `offset`.
pub fn matches(bytes: &[u8], offset: u64) -> bool {
    bytes.chunks_exact(8).enumerate().all(|(i, word)| word == pattern(offset + 8 * i as u64).to_le_bytes())
}

/// A well-mixed word for a seed (splitmix64).
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The name of the file system that holds `dir`, see statfs(2).
pub fn file_system(dir: &Path) -> io::Result<String> {
    let path = std::ffi::CString::new(dir.as_os_str().as_bytes())?;
    let mut stat = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: a terminated path and room for one statfs.
    if unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the kernel filled it (and it was zeroed before).
    let kind = unsafe { stat.assume_init() }.f_type;
    Ok(match kind {
        0xef53 => "ext2/3/4".into(),
        0x5846_5342 => "xfs".into(),
        0x9123_683e => "btrfs".into(),
        0xf2f5_2010 => "f2fs".into(),
        0x2fc1_2fc1 => "zfs".into(),
        0x794c_7630 => "overlayfs".into(),
        0x0102_1994 => "tmpfs".into(),
        0x8584_58f6 => "ramfs".into(),
        0x6969 => "nfs".into(),
        0x6573_5546 => "fuse".into(),
        other => format!("{other:#x}"),
    })
}

/// The word of the pattern at `offset`.
fn pattern(offset: u64) -> u64 {
    mix(offset)
}

/// Whether the file has its size and, at a few places, its pattern.
fn is_whole(path: &Path, size: u64) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let mut block = [0; 4096];
    file.metadata().is_ok_and(|meta| meta.len() == size)
        && (0..64).all(|i| {
            let at = i * (size / 64);
            file.read_exact_at(&mut block, at).is_ok() && matches(&block, at)
        })
}

/// Writes the pattern over the whole file, allocates it, and waits for the disk.
fn write_pattern(path: &Path, size: u64) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    file.set_len(size)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    for at in (0..size).step_by(CHUNK_BYTES) {
        fill(&mut chunk, at);
        file.write_all_at(&chunk, at)?;
    }
    file.sync_all()
}
