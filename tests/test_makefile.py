"""`make` installs torch for CPUs where it can, and goes on where it cannot."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
(TORCH,) = [
    need
    for need in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    if need.startswith("torch")
]
PYTHON = """#!/bin/sh
echo "$@" >> calls
case "$*" in *--index-url*) exit "$CODE_OF_THE_INDEX" ;; esac
"""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


def make_installed(folder: Path, code: int, *variables: str) -> tuple[list[str], str]:
    """Run `make .venv/installed` with a Python that only notes how it is called."""
    for name in ("Makefile", "pyproject.toml", "CMakeLists.txt"):
        shutil.copy(ROOT / name, folder)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").touch()
    python.write_text(PYTHON)
    python.chmod(0o755)
    done = subprocess.run(
        ["make", ".venv/installed", *variables],
        cwd=folder, env={**os.environ, "CODE_OF_THE_INDEX": str(code)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    installs = [line for line in (folder / "calls").read_text().splitlines() if "install" in line]
    return installs, done.stdout


@pytest.mark.parametrize("code", [0, 1], ids=["reachable", "unreachable"])
def test_torch_comes_from_the_index_for_cpus_or_else_from_the_usual_one(
    tmp_path: Path, code: int
) -> None:
    installs, printed = make_installed(tmp_path, code, f"TORCH_INDEX={CPU_INDEX}")
    assert len(installs) == 2
    assert installs[0].endswith(
        f"--timeout 10 --retries 0 --no-deps --index-url {CPU_INDEX} {TORCH}"
    )
    assert installs[1].endswith("--editable .")
    said = f"{CPU_INDEX} cannot be used; torch comes from the usual package index."
    assert (said in printed) is bool(code)


def test_with_a_gpu_torch_comes_from_the_usual_index(tmp_path: Path) -> None:
    installs, _ = make_installed(tmp_path, 0, "HAS_GPU=/usr/bin/nvidia-smi")
    assert [line.endswith("--editable .") for line in installs] == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's usual build is for CPUs")
def test_the_readme_gives_the_lines_that_make_uses(tmp_path: Path) -> None:
    installs, _ = make_installed(tmp_path, 0, "HAS_GPU=")
    assert f"--index-url {CPU_INDEX} {TORCH}" in installs[0]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f'    pip install "{TORCH}" --index-url {CPU_INDEX}\n    pip install .\n' in readme
