# musl instead of glibc, statically linked.
. "$(dirname "$0")/lib.sh"
needs musl-tools
debian_rust
# Debian has no libunwind for musl: gcc's serves, but for one call that only glibc has.
mkdir -p "$home/musl"
musl-gcc -O1 -c -o "$home/musl/dl_find_object.o" "$here/dl_find_object.c"
cp "$(gcc -print-file-name=libgcc_eh.a)" "$home/musl/libunwind.a"
ar rs "$home/musl/libunwind.a" "$home/musl/dl_find_object.o"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc
export RUSTFLAGS="-Clink-self-contained=no -Crelocation-model=static -Lnative=$home/musl"
build_and_run $std --target x86_64-unknown-linux-musl
