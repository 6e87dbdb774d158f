#!/bin/sh
# Runs the tests of rnnlab.huggingface with transformers 4.57; `make test` runs them with the version in .venv.
# Packages that 4.57 needs older go into a folder of their own, all others come from .venv.
set -eu
cd "$(dirname "$0")/.."
where="${TMPDIR:-/tmp}/rnnlab-transformers-4"
[ -x "$where/bin/python" ] || .venv/bin/python -m venv "$where"
packages=$("$where/bin/python" -c 'import site; print(site.getsitepackages()[0])')
printf '%s\n' "$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')" "$PWD/src" > "$packages/rnnlab.pth"
"$where/bin/python" -m pip install -qq --disable-pip-version-check 'transformers==4.57.*'
"$where/bin/python" -m pytest -p no:cacheprovider tests/test_huggingface.py tests/interop/test_fast_tokenizers.py "$@"
