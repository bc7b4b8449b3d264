# The oldest Rust, as Debian 12 was released with: builds the workspace and runs its tests.
. "$(dirname "$0")/lib.sh"
rust=$home/rust-1.85
version=1.85.0+dfsg3-1~deb12u3
unpacked "$rust" rustc-web=$version cargo-web=$version libstd-rust-web-dev=$version libstd-rust-web-1.85=$version
cargo=$rust/usr/bin/cargo
export LD_LIBRARY_PATH=$rust/usr/lib/x86_64-linux-gnu:$rust/lib/x86_64-linux-gnu RUSTC=$rust/usr/bin/rustc CARGO_TARGET_DIR=$home/msrv
"$RUSTC" --version
build_and_run
