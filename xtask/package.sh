# Each crate builds from what would be published of it. Cargo's own verification unpacks into a cache that it does not
# renew while the version stays the same.
set -eu
packages=$1/package
rm -rf "$packages"
"$CARGO" package --workspace --exclude xtask --no-verify --allow-dirty
mkdir "$packages/unpacked"
cp Cargo.lock "$packages/unpacked/"
cd "$packages/unpacked"
for archive in ../*.crate; do tar -xzf "$archive"; done
{
  printf '[workspace]\nresolver = "3"\nmembers = ["*-*"]\n\n[patch.crates-io]\n'
  for package in *-[0-9]*; do echo "${package%-[0-9]*} = { path = \"$package\" }"; done
} >Cargo.toml
CARGO_TARGET_DIR=$1 "$CARGO" check --workspace --all-features
