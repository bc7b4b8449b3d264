//! Completions taken by tokio's own reactor: no thread of caio's is involved.
//!
//! `cargo run --release --example reactor_tokio`

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    use caio::{Context, SharedFd};
    use tokio::io::unix::AsyncFd;

    let (ctx, driver) = Context::builder().build_with_driver()?;
    // `AsyncFd::register` replaces `new` in tokio 1.54; the driver owns its descriptor, so both are sound here.
    #[allow(deprecated)]
    let mut driver = AsyncFd::new(driver)?;
    let reactor = tokio::spawn(async move {
        loop {
            let mut ready = driver.readable_mut().await?;
            ready.clear_ready();
            ready.get_inner_mut().reap(usize::MAX, 0, None)?;
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
    println!("64 blocks written, synced and read back by {}, reaped by tokio", ctx.backend());
    reactor.abort();
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("tokio watches descriptors on Unix only");
}
