# Runs the tests that change settings of the whole system, one at a time, and puts back what one that died left changed.
set -eu
[ "$(id -u)" -eq 0 ] || { echo "needs root, to change kernel.io_uring_disabled and fs.aio-max-nr" >&2; exit 1; }
settings=
for name in kernel.io_uring_disabled fs.aio-max-nr; do
  ! value=$(sysctl -n $name 2>/dev/null) || settings="$settings $name=$value"
done
trap 'for setting in $settings; do sysctl -qw "$setting"; done' EXIT
"${CARGO:-cargo}" test --package caio --test it -- refused --ignored --test-threads=1 --nocapture
"${CARGO:-cargo}" test --package caio-aio --test it -- the_systems_limit --ignored --test-threads=1 --nocapture
