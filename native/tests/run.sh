#!/bin/sh
# Builds the kernels with sanitizers and runs them; with valgrind too, where it is installed.
# A folder for the builds may be named. Some minutes; stops at the first finding.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
builds=${1:-$(mktemp -d)}

build() {
  cmake -S "$here" -B "$builds/$1" -DSANITIZE="$1" >/dev/null
  cmake --build "$builds/$1" --parallel "$(nproc)" >/dev/null
}

for sanitizer in address thread; do
  build "$sanitizer"
  echo "== -fsanitize=$sanitizer"
  TSAN_OPTIONS=halt_on_error=1 "$builds/$sanitizer/kernels_test" --quick --threads 3
done
if command -v valgrind >/dev/null; then
  build none
  echo "== valgrind"  # which knows no AVX-512
  for level in avx2 portable; do
    valgrind -q --error-exitcode=9 "$builds/none/kernels_test" --quick --threads 2 "$level"
  done
fi
