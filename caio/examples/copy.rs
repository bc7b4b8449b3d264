//! Copies a file with many blocks in flight, and prints a checksum equal to that of `sha256sum`.
//!
//! `cargo run --release --example copy [--direct] SRC DST`

use caio::{AlignedBuf, Context, SharedFd};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Instant;

/// The size of one block, in bytes.
const BLOCK: u64 = 256 * 1024;
/// How many blocks are in flight.
const IN_FLIGHT: usize = 32;
/// What `O_DIRECT` files are aligned to, in bytes: enough for any disk.
const ALIGNMENT: usize = 4096;

/// The files of a copy.
struct Copy {
    /// Carries the operations out.
    ctx: Context,
    /// What is read.
    src: SharedFd,
    /// What is written.
    dst: SharedFd,
    /// How long the source is, in bytes.
    len: u64,
    /// Whether the page cache is bypassed.
    direct: bool,
}

impl Copy {
    /// Copies one block by way of a buffer, and returns the buffer with the block in it.
    async fn block(&self, offset: u64, buf: AlignedBuf) -> io::Result<(u64, AlignedBuf)> {
        let want = usize::try_from((self.len - offset).min(BLOCK)).map_err(io::Error::other)?;
        let mut buf = self.read_block(offset, want, buf).await?;
        if self.direct {
            // The last block is written whole; the file is cut to its length in the end.
            let padding = want.next_multiple_of(ALIGNMENT) - want;
            buf.extend_from_slice(&[0; ALIGNMENT][..padding]);
        }
        let (written, mut buf) = self.ctx.write(buf, &self.dst, offset).await;
        if written? != buf.len() {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "a short write"));
        }
        buf.truncate(want);
        Ok((offset, buf))
    }

    /// Reads one block whole.
    async fn read_block(&self, offset: u64, want: usize, buf: AlignedBuf) -> io::Result<AlignedBuf> {
        let (read, mut buf) = self.ctx.read_into(buf, &self.src, offset).await;
        let mut got = read?.min(want);
        buf.truncate(got);
        while got < want {
            let rest = self.ctx.read(want - got, &self.src, offset + got as u64).await?;
            if rest.is_empty() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the source shrank while it was copied"));
            }
            buf.extend_from_slice(&rest);
            got = buf.len();
        }
        Ok(buf)
    }

    /// Copies it all, and returns the checksum of what was read.
    async fn run(&self, progress: &ProgressBar) -> io::Result<String> {
        let mut offsets = (0..self.len).step_by(BLOCK as usize);
        let mut blocks = FuturesUnordered::new();
        for offset in offsets.by_ref().take(IN_FLIGHT) {
            blocks.push(self.block(offset, AlignedBuf::new(BLOCK as usize, ALIGNMENT)));
        }
        // Blocks end in any order, and are hashed in theirs; a buffer that waits for its turn is replaced only once it had it.
        let (mut hash, mut hashed, mut early) = (Sha256::new(), 0, BTreeMap::new());
        while let Some(block) = blocks.next().await {
            let (offset, buf) = block?;
            early.insert(offset, buf);
            while let Some(mut buf) = early.remove(&hashed) {
                hash.update(&buf[..]);
                hashed += buf.len() as u64;
                progress.set_position(hashed);
                buf.clear();
                if let Some(offset) = offsets.next() {
                    blocks.push(self.block(offset, buf));
                }
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Opens a file, past the page cache if asked to.
fn open(options: &mut OpenOptions, path: &Path, direct: bool) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    if direct {
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_DIRECT);
    }
    if direct && cfg!(not(target_os = "linux")) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "--direct needs Linux"));
    }
    options.open(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

async fn copy(src: &Path, dst: &Path, direct: bool) -> Result<(), Box<dyn Error>> {
    let ctx = Context::builder().max_requests(IN_FLIGHT).build()?;
    let source = open(OpenOptions::new().read(true), src, direct)?;
    let target = open(OpenOptions::new().write(true).create(true).truncate(true), dst, direct)?;
    let len = source.metadata()?.len();
    let progress = ProgressBar::new(len);
    progress.set_style(ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")?);

    let start = Instant::now();
    let copy = Copy { ctx: ctx.clone(), src: source.into(), dst: target.into(), len, direct };
    let checksum = copy.run(&progress).await?;
    copy.dst.file().set_len(len)?;
    ctx.fsync(&copy.dst).await?;
    progress.finish();
    eprintln!("{} in {:.2?} by {}, {IN_FLIGHT} blocks in flight", HumanBytes(len), start.elapsed(), ctx.backend());
    println!("{checksum}  {}", src.display());
    ctx.close().await;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<_> = std::env::args_os().skip(1).collect();
    let before = args.len();
    args.retain(|arg| arg != "--direct");
    let [src, dst] = args.as_slice() else {
        return Err("usage: copy [--direct] SRC DST".into());
    };
    futures::executor::block_on(copy(src.as_ref(), dst.as_ref(), args.len() != before))
}
