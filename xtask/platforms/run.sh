# Runs the test binaries that are named on standard input, `CRATE BINARY` a line, also where busybox is all there is.
while read -r crate binary; do
  echo "== $crate"
  # shellcheck disable=SC2086 # the runner is words
  timeout "$TEST_LIMIT" ${RUNNER:-} "$binary" --show-output ${TEST_THREADS:+--test-threads=$TEST_THREADS} </dev/null 2>&1 ||
    echo "== exit $?"
done
