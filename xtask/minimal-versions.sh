# The libraries build with the oldest version of each dependency that a manifest admits. A copy keeps the lock file as it is.
set -eu
copy=$1/minimal-versions/workspace
rm -rf "$copy"
mkdir -p "$copy"
cp -r Cargo.toml ./*.md caio* xtask "$copy/"
cd "$copy"
RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$1/minimal-versions \
  "$CARGO" check --workspace --exclude xtask --all-features -Zdirect-minimal-versions
