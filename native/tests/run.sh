#!/bin/sh
# Builds the kernels with sanitizers and runs them, and under valgrind if it is installed. The argument
# names a folder for the builds. Takes some minutes; stops at the first error.
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
  echo "== valgrind"  # it does not support AVX-512
  for level in avx2 portable; do
    valgrind -q --error-exitcode=9 "$builds/none/kernels_test" --quick --threads 2 "$level"
  done
fi
