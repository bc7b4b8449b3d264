# A user who may have few processes, with binaries that were moved.
. "$(dirname "$0")/lib.sh"
[[ $EUID -eq 0 ]] || skip "needs root, to become another user"
moved=$(mktemp -d)
trap 'rm -rf "$moved"' EXIT
chmod 755 "$moved"
build | while read -r crate binary; do
  cp "$binary" "$moved/"
  echo "$crate $moved/$(basename "$binary")"
done >"$moved/list"
open_folder "$moved/files"
export TEST_THREADS=1 RUNNER="setpriv --reuid 65534 --regid 65534 --clear-groups prlimit --nproc=${PROCESSES:-16}"
cd "$moved/files"
sh "$here/run.sh" <"$moved/list"
