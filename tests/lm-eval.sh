#!/bin/sh
# Asks rnnlab serve by lm-evaluation-harness, and compares with rnnlab evaluate: tests/lm_eval_check.py.
# Its packages go into a folder of their own; those that .venv has come from there.
set -eu
cd "$(dirname "$0")/.."
where="${TMPDIR:-/tmp}/rnnlab-lm-eval"
[ -x "$where/bin/python" ] || .venv/bin/python -m venv "$where"
packages=$("$where/bin/python" -c 'import site; print(site.getsitepackages()[0])')
printf '%s\n' "$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')" "$PWD/src" > "$packages/rnnlab.pth"
"$where/bin/python" -m pip install -qq --disable-pip-version-check 'lm_eval[api]==0.4.*'
"$where/bin/python" tests/support/lm_eval_check.py "$@"
