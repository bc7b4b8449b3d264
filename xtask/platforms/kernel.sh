# A kernel of Debian's, 6.1 or 6.12, under qemu, with an NVMe drive that can be polled.
. "$(dirname "$0")/lib.sh"
version=$1
needs busybox-static
package=linux-image-cloud-amd64
[[ $version == 6.1 ]] || package=linux-image-$version-cloud-amd64
qemu=$home/qemu
linux=$home/linux-$version
unpacked "$qemu" qemu-system-x86
unpacked "$linux" "$package"
modules=$(echo "$linux"/lib/modules/*)
target=x86_64-unknown-linux-gnu
export CARGO_TARGET_DIR=$home/static RUSTFLAGS=-Ctarget-feature=+crt-static
build --target $target >"$home/$version.list"

# The first root holds what finds the drive, the second root is on the drive and holds the tests.
first=$(mktemp -d) second=$(mktemp -d) image=$home/$version.ext4
trap 'rm -rf "$first" "$second"' EXIT
for folder in "$first" "$second"; do
  mkdir -p "$folder"/{bin,dev,proc,sys,new,etc}
  cp /bin/busybox "$folder/bin/busybox"
  ln -s busybox "$folder/bin/sh"
done
mkdir -p "$first/lib/modules"
/bin/busybox depmod -b "$linux" "${modules##*/}"
cp -r "$modules" "$first/lib/modules/"
install -m 755 "$here/init.sh" "$first/init"
mkdir -p -m 1777 "$second/tmp"
mkdir -p "$second$CARGO_TARGET_DIR/$target/tmp" "$second/tests"
while read -r crate binary; do
  cp "$binary" "$second/tests/"
  echo "$crate /tests/$(basename "$binary")"
done <"$home/$version.list" >"$second/list"
cp "$here/run.sh" "$second/"
echo "export TEST_ARGS='${TEST_ARGS:-}'" >"$second/env"
install -m 755 "$here/init.sh" "$second/init"
printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$second/etc/passwd"
(cd "$first" && find . | /bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$home/$version.initrd"
rm -f "$image"
/sbin/mke2fs -q -t ext4 -d "$second" "$image" 4G

LD_LIBRARY_PATH=$qemu/usr/lib/x86_64-linux-gnu:$qemu/lib/x86_64-linux-gnu timeout 10800 "$qemu/usr/bin/qemu-system-x86_64" \
  -L "$qemu/usr/share/qemu" -L "$qemu/usr/share/seabios" -M q35 -cpu max -accel tcg,thread=multi -smp 2 -m 2048 \
  -nographic -no-reboot -nic none -kernel "$linux"/boot/vmlinuz-* -initrd "$home/$version.initrd" \
  -append "console=ttyS0 panic=-1 quiet mitigations=off nvme.poll_queues=1" \
  -drive "file=$image,if=none,id=d,format=raw,cache=unsafe" -device nvme,drive=d,serial=x </dev/null
