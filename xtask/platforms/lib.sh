# What the recipes share. A recipe prints `== CRATE` before a crate's tests, then what the tests print, and `== exit CODE`
# where a test binary did not succeed. `SKIP: REASON` alone says that this machine cannot be the platform.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
home=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")/platforms
mkdir -p "$home"
cd "$root"
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 RUST_BACKTRACE=0 DEBIAN_FRONTEND=noninteractive
export TEST_LIMIT=${TEST_LIMIT:-900}
cargo=${CARGO:-cargo}
unset LD_LIBRARY_PATH

skip() {
  echo "SKIP: $*"
  exit 0
}

# Installs those of the Debian packages that are missing.
needs() {
  local package missing=()
  for package; do
    [[ $(dpkg-query --show --showformat='${Status}' "$package" 2>&1) == "install ok installed" ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  command -v apt-get >/dev/null || skip "needs packages of Debian's: ${missing[*]}"
  [[ $EUID -eq 0 ]] || skip "needs root, or: apt-get install --no-install-recommends ${missing[*]}"
  { apt-get -q update && apt-get -qy install --no-install-recommends "${missing[@]}"; } >&2
}

# Unpacks Debian packages and what they need into a folder, without installing them.
unpacked() {
  local package into=$1
  shift
  [[ ! -e $into/done ]] || return 0
  command -v apt-get >/dev/null && [[ $EUID -eq 0 ]] || skip "needs Debian, and root to download packages: $*"
  mkdir -p "$into/debs/partial"
  { apt-get -q update
    apt-get -qy install --no-install-recommends --download-only --allow-downgrades -o "Dir::Cache::archives=$into/debs" "$@"; } >&2
  for package in "$into"/debs/*.deb; do dpkg -x "$package" "$into"; done
  touch "$into/done"
}

# Debian's compiler has the source of the standard library, which is built for any target.
debian_rust() {
  needs rustc-web cargo-web rust-web-src
  cargo=/usr/bin/cargo
  export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$home/debian
  std=-Zbuild-std=std,panic_abort,panic_unwind,test
}

# Builds the workspace's tests, and prints `CRATE BINARY` for each.
build() {
  "$cargo" test --workspace --exclude xtask --all-features --lib --tests --no-run --no-fail-fast \
    --message-format=json-render-diagnostics "$@" |
    sed -n 's|.*"manifest_path":"[^"]*/\([^/"]*\)/Cargo.toml".*"executable":"\([^"]*\)".*|\1 \2|p' ||
    { echo "== build"; echo "== exit 101"; } >&3
}

# Builds, and runs every test binary by itself. RUNNER and TEST_THREADS are the environment's.
build_and_run() {
  build "$@" >"$home/list.$$"
  sh "$here/run.sh" <"$home/list.$$"
  rm "$home/list.$$"
}

# A folder that anybody may write to, for the files of the tests.
open_folder() {
  mkdir -p "$1"
  chmod 1777 "$1"
  export TMPDIR=$1 CAIO_TEST_DIR=$1
}
exec 3>&1
