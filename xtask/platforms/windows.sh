# Windows, under wine.
. "$(dirname "$0")/lib.sh"
needs gcc-mingw-w64-x86-64-win32 wine64
debian_rust
export RUNNER=/usr/lib/wine/wine64 WINEPREFIX=$home/wine WINEDEBUG=-all
# Debian's compiler lacks the objects that start and end a program, wine a library that Rust's programs call.
mkdir -p "$home/rt" "$WINEPREFIX"
for object in rsbegin rsend; do
  $RUSTC --crate-type lib --emit obj --target x86_64-pc-windows-gnu -o "$home/rt/$object.o" \
    "$($RUSTC --print sysroot)/lib/rustlib/src/rust/library/rtstartup/$object.rs"
done
[[ -d $WINEPREFIX/drive_c/windows/system32 ]] || $RUNNER wineboot --init >&2
x86_64-w64-mingw32-gcc -O1 -shared -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" \
  "$here/bcryptprimitives.c" -ladvapi32
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc RUSTFLAGS=-Lnative=$home/rt
build_and_run $std --target x86_64-pc-windows-gnu
