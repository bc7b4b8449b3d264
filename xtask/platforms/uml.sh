# Linux 6.1 as a program: user-mode Linux, on one processor and on this machine's root file system, read-only.
. "$(dirname "$0")/lib.sh"
needs user-mode-linux
build >"$home/uml.list"
image=$home/uml.ext4
rm -f "$image"
/sbin/mke2fs -q -t ext4 "$image" 2G
cat >"$home/uml.init" <<INIT
#!/bin/sh
export PATH=$PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t ext4 /dev/ubda /mnt
mkdir -p -m 1777 /mnt/tmp
mount --bind /mnt/tmp /tmp
mkdir -p "$(dirname "$home")/tmp"
mount --bind /mnt/tmp "$(dirname "$home")/tmp"
ip link set lo up
uname -r
export TMPDIR=/tmp CAIO_TEST_DIR=/tmp TEST_LIMIT=1800 TEST_THREADS=1 RUST_BACKTRACE=0 TEST_ARGS="${TEST_ARGS:-}"
sh "$here/run.sh" <"$home/uml.list" | cat
poweroff -f
INIT
chmod +x "$home/uml.init"
mkdir -p "$(dirname "$home")/tmp"
timeout 7200 linux.uml mem=1024M root=/dev/root rootfstype=hostfs rootflags=/ ro init="$home/uml.init" \
  "ubd0=$image" con=null con0=fd:0,fd:1 quiet </dev/null
