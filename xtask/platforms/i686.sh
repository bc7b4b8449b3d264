# 32 bits, natively, without io_uring: the crate io-uring does not know the architecture.
. "$(dirname "$0")/lib.sh"
needs libc6-dev-i386 lib32gcc-12-dev
debian_rust
build_and_run $std --target i686-unknown-linux-gnu
