#!/usr/bin/env bash
# Builds the wheel and runs every suite on it: ours, the original's and aiofile's. Everything is made under target/python.
#
#     caio-python/ci.sh [PYTHON...]      the interpreters to test with, by default python3
#
# CAIO_PYTHON_SUITES says which suites run, by default "ours original aiofile implementations uvloop".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
readonly ORIGINAL=0.12.10 AIOFILE=3.12.3
readonly SUITES=${CAIO_PYTHON_SUITES:-ours original aiofile implementations uvloop}
readonly WORK=$PWD/../target/python
readonly LIMIT="timeout --kill-after=10 1200"
interpreters=("$@")
[[ $# -ne 0 ]] || interpreters=(python3)

runs() { [[ " $SUITES " == *" $1 "* ]]; }

# pytest ARGUMENT...: without a cache in the folder that it runs in.
run_pytest() { AIOMISC_USE_UVLOOP=${AIOMISC_USE_UVLOOP:-0} $LIMIT "$python" -m pytest -q -p no:cacheprovider "$@"; }

mkdir -p "$WORK"
python3 -m venv "$WORK/build"
"$WORK/build/bin/pip" install -q 'maturin>=1.9,<2'
rm -rf "$WORK/dist"
"$WORK/build/bin/maturin" build --out "$WORK/dist" --interpreter "$WORK/build/bin/python"
wheel=$(echo "$WORK"/dist/*.whl)

# The tests of both upstreams, away from their sources: else the original's own package would be imported.
if [[ ! -d $WORK/upstream/aiofile ]]; then
  "$WORK/build/bin/pip" download -q --no-deps --no-binary :all: "caio==$ORIGINAL" "aiofile==$AIOFILE" -d "$WORK/sdists"
  mkdir -p "$WORK"/upstream/{caio,aiofile}
  tar xf "$WORK/sdists/caio-$ORIGINAL.tar.gz" -C "$WORK/upstream/caio" --strip-components=1 "caio-$ORIGINAL/tests"
  tar xf "$WORK/sdists/aiofile-$AIOFILE.tar.gz" -C "$WORK/upstream/aiofile" --strip-components=1 \
    "aiofile-$AIOFILE/tests" "aiofile-$AIOFILE/README.md"
fi

for interpreter in "${interpreters[@]}"; do
  version=$("$interpreter" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$interpreter" -m venv --clear "$WORK/venv-$version"
  python=$WORK/venv-$version/bin/python
  "$python" -m pip install -q "$wheel" "aiofile==$AIOFILE" pytest aiomisc-pytest pytest-rerunfailures markdown-pytest mypy uvloop
  "$python" -m caio
  echo "Python $version"
  if runs ours; then run_pytest tests; fi
  if runs original; then (cd "$WORK/upstream/caio" && run_pytest tests); fi
  if runs aiofile; then (cd "$WORK/upstream/aiofile" && run_pytest tests README.md); fi
  if runs implementations; then
    for implementation in uring linux thread python; do
      echo "Python $version, CAIO_IMPL=$implementation"
      # Those of the selector write a file that the variable overrides: they fail on the original too while it is set.
      (cd "$WORK/upstream/caio" && CAIO_IMPL=$implementation run_pytest tests --deselect tests/test_impl_selector.py)
      (cd "$WORK/upstream/aiofile" && CAIO_IMPL=$implementation run_pytest tests README.md)
    done
  fi
  if runs uvloop; then
    (cd "$WORK/upstream/aiofile" && AIOMISC_USE_UVLOOP=1 run_pytest tests README.md)
  fi
done
