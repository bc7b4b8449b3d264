# Counts what a program does: `count.sh PROGRAM ARGS...` prints its instructions outside the kernel, its system calls that do
# work, and those that put a thread to sleep or wake one. Where this cannot be counted it prints `SKIP: ` and the reason.
set -eu

# Runs a command; what it prints is the result. A program that says SKIP has said it all.
told_by() {
  told=$("$@" 2>&1) || { echo "$told" >&2; exit 1; }
  case $told in *"SKIP: "*) echo "$told" | grep -m1 "SKIP: "; exit 0 ;; esac
}

for tool in valgrind strace; do
  command -v $tool >/dev/null || { echo "SKIP: $tool is not installed"; exit 0; }
done
told=$(strace -f -c true 2>&1) || { echo "SKIP: strace does not work here: $told"; exit 0; }

told_by "$@"
told_by valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@"
instructions=$(echo "$told" | sed -n 's/.*Collected : \([0-9]*\).*/\1/p')

# A line of strace's summary: % time, seconds, usecs/call, calls, [errors], name. Reads and writes of files have other names
# than those that wait for and wake an event loop. The program itself pauses between operations.
told_by strace -f -c "$@"
echo "$told" | awk -v instructions="$instructions" '
  (NF == 5 || NF == 6) && $4 ~ /^[0-9]+$/ && $NF !~ /^(total|clock_nanosleep|restart_syscall)$/ {
    if ($NF ~ /^(futex|poll|ppoll|read|sched_yield|write)$/) waits += $4; else calls += $4
  }
  END { print instructions, calls + 0, waits + 0 }'
