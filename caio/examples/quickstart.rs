//! Writes, reads and syncs a real file, and tells which backend did it.
//!
//! `cargo run --release --example quickstart [FILE]`

use caio::{Context, SharedFd};
use std::error::Error;

async fn quickstart(path: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let ctx = Context::new()?;
    println!("backend: {}", ctx.backend());

    let fd: SharedFd = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(path)?.into();

    let (written, _buf) = ctx.write(b"Hello world", &fd, 0).await;
    println!("wrote {} bytes to {}", written?, path.display());
    println!("read back {:?}", String::from_utf8(ctx.read(32, &fd, 0).await?)?);
    ctx.fdsync(&fd).await?;
    println!("synced the data");

    let (a, b) = futures::join!(ctx.write(b"Hello from ", &fd, 0), ctx.write(b"async world", &fd, 11));
    println!("wrote {} and {} bytes at the same time", a.0?, b.0?);
    let text = String::from_utf8(ctx.read(32, &fd, 0).await?)?;
    println!("read back {text:?}");
    assert_eq!(text, "Hello from async world");
    ctx.close().await;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("caio-quickstart"), Into::into);
    futures::executor::block_on(quickstart(&path))
}
