//! Completions taken by async-io's reactor, under smol: no thread of caio's is involved.
//!
//! `cargo run --release --example reactor_async_io`

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use caio::{Context, SharedFd};

    smol::block_on(async {
        let (ctx, mut driver) = Context::builder().build_with_driver()?;
        let descriptor = smol::Async::new(driver.as_fd().try_clone_to_owned()?)?;
        let reactor = smol::spawn(async move {
            loop {
                descriptor.readable().await?;
                driver.reap(usize::MAX, 0, None)?;
            }
            #[allow(unreachable_code)]
            Ok::<(), std::io::Error>(())
        });

        let fd: SharedFd = tempfile::tempfile()?.into();
        let writes = (0..64_u64).map(|block| ctx.write(vec![block as u8; 4096], &fd, block * 4096));
        for (written, _buf) in futures::future::join_all(writes).await {
            assert_eq!(written?, 4096);
        }
        ctx.fdsync(&fd).await?;
        let last = ctx.read(8192, &fd, 63 * 4096).await?;
        assert_eq!(last, [63; 4096]);
        println!("64 blocks written, synced and read back by {}, reaped by async-io", ctx.backend());
        reactor.cancel().await;
        Ok(())
    })
}

#[cfg(not(unix))]
fn main() {
    println!("async-io watches descriptors on Unix only");
}
