# 64-bit ARM under qemu's emulation of Linux, which has neither io_uring nor kernel AIO: the threads carry everything.
. "$(dirname "$0")/lib.sh"
needs gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
debian_rust
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
build $std --target aarch64-unknown-linux-gnu >"$home/aarch64.list"

# Tests start themselves again, so the kernel has to know whose programs these are: in a user namespace, for this run alone.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
export TEST_THREADS=1 here home
export entry=":qemu-aarch64:M::$magic:$mask:$(command -v qemu-aarch64):F"
coproc unshare --user --mount bash -ec '
  echo ready; read -r
  mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  printf %s "$entry" >/proc/sys/fs/binfmt_misc/register
  exec sh "$here/run.sh" <"$home/aarch64.list"'
namespace=$COPROC_PID
read -r _ <&"${COPROC[0]}"
echo "0 0 65536" >"/proc/$namespace/uid_map"
echo "0 0 65536" >"/proc/$namespace/gid_map"
echo >&"${COPROC[1]}"
cat <&"${COPROC[0]}"
wait "$namespace"
