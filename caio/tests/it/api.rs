//! The calls as a user writes them.

use caio::{AlignedBuf, BackendKind, Context, IoBuf, IoPriority, Outcome, SharedFd};
use futures::executor::block_on;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

type TestResult = Result<(), Box<dyn Error>>;

#[test]
fn reading_and_writing() -> TestResult {
    let dir = tempfile::tempdir()?;
    block_on(async {
        let ctx = Context::new()?;
        let path = dir.path().join("test.file");
        let fd: SharedFd =
            std::fs::File::options().read(true).write(true).create(true).truncate(true).open(path)?.into();

        let (written, _buf) = ctx.write(b"Hello world", &fd, 0).await;
        assert_eq!(written?, 11);
        let data: Vec<u8> = ctx.read(32, &fd, 0).await?;
        assert_eq!(data, b"Hello world");
        let (n, buf) = ctx.read_into(Vec::with_capacity(4096), &fd, 0).await;
        assert_eq!((n?, &buf[..]), (11, &b"Hello world"[..]));
        ctx.fdsync(&fd).await?;
        ctx.fsync(&fd).await?;

        let (a, b) = futures::join!(ctx.write(b"Hello from ", &fd, 0), ctx.write(b"async world", &fd, 11));
        assert_eq!((a.0?, b.0?), (11, 11));
        assert_eq!(ctx.read(32, &fd, 0).await?, b"Hello from async world");
        Ok(())
    })
}

#[test]
fn every_buffer() -> TestResult {
    block_on(async {
        let ctx = Context::new()?;
        let fd: SharedFd = tempfile::tempfile()?.into();
        ctx.write(vec![b'a'; 2], &fd, 0).await.0?;
        ctx.write(vec![b'b'; 2].into_boxed_slice(), &fd, 2).await.0?;
        ctx.write(String::from("cc"), &fd, 4).await.0?;
        ctx.write("dd", &fd, 6).await.0?;
        ctx.write(&b"ee"[..], &fd, 8).await.0?;
        ctx.write(Arc::<[u8]>::from(&b"ff"[..]), &fd, 10).await.0?;
        let mut aligned = AlignedBuf::new(512, 512);
        aligned.extend_from_slice(b"gg");
        ctx.write(aligned, &fd, 12).await.0?;
        assert_eq!(ctx.read(64, &fd, 0).await?, b"aabbccddeeffgg");

        let (n, part) = ctx.read_into(Vec::with_capacity(64).slice(..3), &fd, 1).await;
        assert_eq!((n?, &part.into_inner()[..]), (3, &b"abb"[..]));
        let (n, boxed) = ctx.read_into(vec![0; 4].into_boxed_slice(), &fd, 0).await;
        assert_eq!((n?, &boxed[..]), (4, &b"aabb"[..]));
        Ok(())
    })
}

#[cfg(feature = "bytes")]
#[test]
fn bytes_buffers() -> TestResult {
    block_on(async {
        let ctx = Context::new()?;
        let fd: SharedFd = tempfile::tempfile()?.into();
        let (written, bytes) = ctx.write(bytes::Bytes::from_static(b"shared bytes"), &fd, 0).await;
        assert_eq!((written?, &bytes[..]), (12, &b"shared bytes"[..]));
        let (read, bytes) = ctx.read_into(bytes::BytesMut::with_capacity(64), &fd, 7).await;
        assert_eq!((read?, &bytes[..]), (5, &b"bytes"[..]));
        Ok(())
    })
}

#[test]
fn control() -> TestResult {
    block_on(async {
        let ctx = Context::new()?;
        let fd: SharedFd = tempfile::tempfile()?.into();
        ctx.write(b"0123456789", &fd, 0).await.0?;

        let op = ctx.read_into(Vec::with_capacity(4), &fd, 0);
        let op = op.submit();
        match op.cancel().await {
            Outcome::Cancelled(buf) => assert!(buf.is_empty()),
            Outcome::Completed(result, buf) => assert_eq!((result?, &buf[..]), (4, &b"0123"[..])),
        }
        let r = ctx.read(4096, &fd, 0).timeout(Duration::from_secs(10)).await;
        assert_eq!(r?, b"0123456789");
        let r = ctx.read(4096, &fd, 0).priority(IoPriority::BestEffort(7)).await;
        assert_eq!(r?, b"0123456789");

        let mut batch = ctx.batch();
        let a = batch.read_into(Vec::with_capacity(3), &fd, 2);
        let b = batch.write(b"x", &fd, 4096);
        batch.submit()?;
        let ((read, buf), (written, _)) = futures::join!(a, b);
        assert_eq!((read?, &buf[..], written?), (3, &b"234"[..], 1));

        ctx.close().await;
        let (refused, buf) = ctx.write(vec![1, 2, 3], &fd, 0).await;
        assert!(refused.is_err());
        assert_eq!(buf, [1, 2, 3]);
        Ok(())
    })
}

#[test]
fn choosing() -> TestResult {
    let ctx = Context::builder().max_requests(128).order([BackendKind::Uring, BackendKind::Thread]).build()?;
    assert_ne!(ctx.backend(), BackendKind::Aio);
    assert!(ctx.max_requests() <= 128);
    assert_eq!(ctx.in_flight(), 0);
    assert_eq!(ctx.stats().submitted, 0);
    assert!(ctx.rejected().iter().all(|refusal| refusal.backend() == BackendKind::Uring));
    assert!(!caio::probe().is_empty());
    assert_eq!(BackendKind::Uring.to_string(), "uring");
    let same: caio_core::Context = ctx;
    let clone: Context = same.clone();
    assert_eq!(clone.backend(), same.backend());
    Ok(())
}

#[cfg(unix)]
#[test]
fn somebody_elses_event_loop() -> TestResult {
    let (ctx, mut driver) = Context::builder().build_with_driver()?;
    let fd: SharedFd = tempfile::tempfile()?.into();
    let write = ctx.write(b"driven", &fd, 0).submit();
    let mut write = std::pin::pin!(write);
    let mut cx = std::task::Context::from_waker(futures::task::noop_waker_ref());
    loop {
        if let std::task::Poll::Ready((written, _)) = write.as_mut().poll(&mut cx) {
            assert_eq!(written?, 6);
            return Ok(());
        }
        driver.reap(usize::MAX, 1, Some(Duration::from_secs(10)))?;
    }
}
