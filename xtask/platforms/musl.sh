# musl instead of glibc, statically linked.
. "$(dirname "$0")/lib.sh"
needs musl-tools
debian_rust
# Debian has no libunwind for musl: gcc's serves, with what it needs of glibc.
mkdir -p "$home/musl"
musl-gcc -O1 -c -o "$home/musl/musl.o" "$here/musl.c"
cp "$(gcc -print-file-name=libgcc_eh.a)" "$home/musl/libunwind.a"
ar rcs "$home/musl/libunwind.a" "$home/musl/musl.o"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc
export RUSTFLAGS="-Clink-self-contained=no -Crelocation-model=static -Lnative=$home/musl"
build_and_run $std --target x86_64-unknown-linux-musl
