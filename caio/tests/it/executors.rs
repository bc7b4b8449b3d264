//! The same futures under every executor, on every backend.

use crate::backends::backends;
use crate::runtimes::executors;
use caio::{Context, Outcome, SharedFd};
use std::io;
use std::time::Duration;

/// A block of one letter.
fn block(task: usize) -> Vec<u8> {
    vec![b'a' + (task % 26) as u8; 512]
}

/// Each task writes its own block, syncs and reads it back.
async fn write_sync_read(ctx: Context, fd: SharedFd, task: usize) -> io::Result<()> {
    let offset = task as u64 * 512;
    let (written, buf) = ctx.write(block(task), &fd, offset).await;
    assert_eq!(written?, 512);
    ctx.fdsync(&fd).await?;
    let (read, buf) = ctx.read_into(buf, &fd, offset).await;
    assert_eq!((read?, buf), (512, block(task)));
    Ok(())
}

#[test]
fn many_tasks_on_one_file() {
    for backend in backends() {
        for executor in executors() {
            let ctx = backend.builder().max_requests(16).build().expect("it was usable a moment ago");
            let fd: SharedFd = tempfile::tempfile().expect("a file").into();
            let results = executor.run((0..64).map(|task| write_sync_read(ctx.clone(), fd.clone(), task)));
            assert_eq!(results.len(), 64);
            results.into_iter().for_each(|result| result.unwrap_or_else(|e| panic!("{backend:?} {executor:?}: {e}")));
            let whole = std::io::Read::bytes(fd.file()).count();
            assert_eq!(whole, 64 * 512, "{backend:?} {executor:?}");
            assert_eq!(ctx.stats().completed, 64 * 3, "{backend:?} {executor:?}");
            assert_eq!(ctx.in_flight(), 0, "{backend:?} {executor:?}");
        }
    }
}

/// A context made, used and closed within one task.
async fn whole_life(builder: caio::Builder) -> io::Result<Vec<u8>> {
    let ctx = builder.max_requests(1).build()?;
    let fd: SharedFd = tempfile::tempfile()?.into();
    let (a, b) = futures::join!(ctx.write(b"Hello from ", &fd, 0), ctx.write(b"async world", &fd, 11));
    assert_eq!((a.0?, b.0?), (11, 11));
    let started = ctx.read(64, &fd, 0).submit();
    let data = started.await?;
    ctx.close().await;
    Ok(data)
}

#[test]
fn a_context_lives_within_a_task() {
    for backend in backends() {
        for executor in executors() {
            let results = executor.run((0..4).map(|_| whole_life(backend.builder())));
            for result in results {
                assert_eq!(result.expect("the quick start"), b"Hello from async world", "{backend:?} {executor:?}");
            }
        }
    }
}

/// Reads of pipes that stay empty end by their time or by a cancel, and hold up no file.
#[cfg(unix)]
async fn pipes_and_a_file(ctx: Context) -> io::Result<()> {
    let (reader, _writer) = std::os::unix::net::UnixStream::pair()?;
    let pipe = SharedFd::from(std::os::fd::OwnedFd::from(reader));
    let fd: SharedFd = tempfile::tempfile()?.into();
    let never = ctx.read(16, &pipe, u64::MAX).submit();
    assert_eq!(ctx.write(b"goes on", &fd, 0).await.0?, 7);
    assert_eq!(ctx.read(16, &fd, 0).await?, b"goes on");
    let late = ctx.read(16, &pipe, u64::MAX).timeout(Duration::from_millis(5)).await;
    assert_eq!(late.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
    let outcome = never.cancel().await;
    assert!(matches!(outcome, Outcome::Cancelled(_)), "{outcome:?}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn empty_pipes_are_cancelled_and_timed_out() {
    for backend in backends() {
        for executor in executors() {
            let ctx = backend.builder().max_requests(64).build().expect("it was usable a moment ago");
            for result in executor.run((0..4).map(|_| pipes_and_a_file(ctx.clone()))) {
                result.unwrap_or_else(|error| panic!("{backend:?} {executor:?}: {error}"));
            }
        }
    }
}
