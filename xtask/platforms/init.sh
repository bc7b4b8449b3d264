#!/bin/busybox sh
# What the kernel starts: on the first root to change to the drive, there to run the tests.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
if [ ! -e /list ]; then
  modprobe -a nvme ext4
  while [ ! -b /dev/nvme0n1 ]; do sleep 0.1; done
  mount -t ext4 /dev/nvme0n1 /new
  umount /proc /sys /dev
  exec switch_root /new /init
fi
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
uname -r
export TMPDIR=/tmp CAIO_TEST_DIR=/tmp TEST_LIMIT=3600 TEST_THREADS=1 RUST_BACKTRACE=0
. /env
sh /run.sh </list | cat
poweroff -f
