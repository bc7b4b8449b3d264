# A target that programs can be compiled for here, but not run.
. "$(dirname "$0")/lib.sh"
debian_rust
"$cargo" check -Zbuild-std=std,panic_abort,test --target "$1" --workspace --exclude xtask --all-features --all-targets
