# Counts what a program does: `count.sh PROGRAM ARGS...` prints its instructions outside the kernel, its system calls that do
# work, and those that put a thread to sleep or wake one. Where this cannot be counted it prints `SKIP: ` and the reason.
set -eu

# What the program and the tool before it print, which is words. A program that says SKIP has said it all.
told_by() {
  tool=$1
  shift
  if ! told=$($tool "$@" 2>&1); then
    [ -z "$tool" ] || $tool true >/dev/null 2>&1 || { echo "SKIP: ${tool%% *} does not work here"; exit 0; }
    echo "$told"
    exit 1
  fi
  case $told in *"SKIP: "*) echo "$told" | grep -m1 "SKIP: "; exit 0 ;; esac
}

told_by "" "$@"
told_by "valgrind --tool=callgrind --callgrind-out-file=/dev/null" "$@"
instructions=$(echo "$told" | sed -n 's/.*Collected : \([0-9]*\).*/\1/p')

# A line of strace's summary: % time, seconds, usecs/call, calls, [errors], name. Reads and writes of files have other names
# than those that wait for and wake an event loop. The program itself pauses between operations.
told_by "strace -f -c" "$@"
echo "$told" | awk -v instructions="$instructions" '
  (NF == 5 || NF == 6) && $4 ~ /^[0-9]+$/ && $NF !~ /^(total|clock_nanosleep|restart_syscall)$/ {
    if ($NF ~ /^(futex|poll|ppoll|read|sched_yield|write)$/) waits += $4; else calls += $4
  }
  END { print instructions, calls + 0, waits + 0 }'
