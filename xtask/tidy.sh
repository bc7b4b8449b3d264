# What a script can check of the project's style, and neither rustc nor clippy do: prints what is wrong.
set -eu
complaints=$(
  find . -name target -prune -o -name '*.rs' -print | sort | xargs awk '
    FNR == 1 { pending = 0 }
    FNR == 1 && !/^\/\/! / { print FILENAME ":1: starts with no `//!` sentence" }
    FNR == 501 { print FILENAME ":501: more than 500 lines: which two nouns are these?" }
    /FIX[M]E|XX[X]/ { print FILENAME ":" FNR ": unfinished" }
    pending && !/^ *#\[/ {
      if (!/(^|[ )])mod [a-z0-9_]+;$/) print FILENAME ":" pending ": only a `mod` line may allow unsafe code"
      pending = 0
    }
    FILENAME ~ /\/src\// && /^ *#!?\[.*allow\(unsafe_code/ { pending = FNR }'

  # The facade and this have no unsafe code at all; the others deny it, and allow it to single modules.
  grep -LE '^#!\[forbid\(unsafe_code\)\]$' caio/src/lib.rs xtask/src/main.rs | sed 's/$/: does not forbid unsafe code/'
  grep -LE '^#!\[(forbid|deny)\(unsafe_code\)\]$' caio-*/src/lib.rs caio-*/src/main.rs 2>/dev/null |
    sed 's/$/: does not deny unsafe code/'

  # The comparison with other libraries is no member of the workspace and has a manifest of its own.
  for line in 'rust-version.workspace = true' 'license.workspace = true' '[lints]'; do
    grep -LxF "$line" caio*/Cargo.toml xtask/Cargo.toml | sed "s/\$/: has no line '$line'/"
  done
)
[ -z "$complaints" ] || { echo "$complaints"; exit 1; }
