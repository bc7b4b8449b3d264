# Runs the test binaries that are named on standard input, `CRATE BINARY` a line, also where busybox is all there is.
# RUNNER stands before each, TEST_ARGS behind: `TEST_ARGS=streams:: cargo xtask platforms linux-6.1` runs some alone.
while read -r crate binary; do
  echo "== $crate"
  # shellcheck disable=SC2086 # these are words
  timeout "$TEST_LIMIT" ${RUNNER:-} "$binary" --show-output ${TEST_THREADS:+--test-threads=$TEST_THREADS} ${TEST_ARGS:-} </dev/null 2>&1 ||
    printf '\n== exit %s\n' $?
done
