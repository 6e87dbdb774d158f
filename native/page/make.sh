#!/bin/sh
# Makes kernel.wasm of kernel.c, and kernel.sha256 of both. The compiler is clang as the Python package ziglang 0.13.0
# has it: `python -m pip install ziglang==0.13.0`. Other versions make other bytes of the same functions.
set -eu
cd "$(dirname "$0")"
module=../../src/rnnlab/report/page/kernel.wasm
python3 -m ziglang cc --target=wasm32-freestanding -msimd128 -O3 -nostdlib -Wall -Wextra \
  -Wl,--no-entry -Wl,--import-memory -Wl,--strip-all -z stack-size=4096 -o "$module" kernel.c
sha256sum kernel.c "$module" >kernel.sha256
