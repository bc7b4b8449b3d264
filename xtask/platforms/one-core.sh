# One processor.
. "$(dirname "$0")/lib.sh"
export RUNNER="taskset -c 0"
build_and_run
