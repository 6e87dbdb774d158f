"""Wheels built from this source, with a C++ compiler and without one: what they hold."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
NATIVE_OR_FAIL = "RNNLAB_REQUIRE_NATIVE"


def check_syntax(*flags: str, **options: Any) -> str:
    """Let the C++ compiler read a source; returns what it says of it."""
    named = os.environ.get("CXX", "").split()
    compiler = named or [name for name in ("c++", "g++", "clang++") if shutil.which(name)][:1]
    if not compiler or not shutil.which(compiler[0]):
        return "no C++ compiler"
    command = [*compiler, "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", *flags]
    return subprocess.run(command, capture_output=True, text=True, **options).stderr


def compiles() -> bool:
    """Whether there is a C++ compiler, with OpenMP and Python's headers."""
    source = "#include <Python.h>\n#include <omp.h>\n"
    flags = ["-fopenmp", "-I", sysconfig.get_path("include"), "-x", "c++", "-"]
    return not check_syntax(*flags, input=source)


def build(directory: Path, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    pip = [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "--no-build-isolation"]
    environment = {name: os.environ[name] for name in os.environ if name != NATIVE_OR_FAIL}
    return subprocess.run(
        [*pip, *flags, "--wheel-dir", directory, ROOT],
        env={**environment, **variables}, capture_output=True, text=True,
    )  # fmt: skip


def names_in(directory: Path) -> set[str]:
    (wheel,) = directory.glob("rnnlab-*.whl")
    with ZipFile(wheel) as file:
        return {name for name in file.namelist() if not name.startswith("rnnlab-")}


def package_files() -> set[str]:
    """The package's own files, as a wheel names them: sources, recipes, the report's page, …"""
    kept = {".py", ".pyi", ".toml", ".txt", ".typed", ".wasm", ".json"}
    kept |= {".html", ".jinja", ".css", ".js", ".mjs"}
    files = (
        file
        for file in (SOURCE / "rnnlab").rglob("*")
        if file.suffix in kept or file.name.startswith("LICENSE")
    )
    return {file.relative_to(SOURCE).as_posix() for file in files}


def test_without_a_compiler_the_wheel_lacks_only_the_native_module(tmp_path: Path) -> None:
    done = build(tmp_path, CXX="/bin/false")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rnnlab._native could not be compiled" in done.stdout + done.stderr
    assert names_in(tmp_path) == package_files()
    assert [wheel.name.split("-")[2:] for wheel in tmp_path.iterdir()] == [
        ["py3", "none", "any.whl"]
    ]


def test_a_failed_compilation_can_be_made_an_error(tmp_path: Path) -> None:
    done = build(tmp_path, CXX="/bin/false", **{NATIVE_OR_FAIL: "1"})
    assert done.returncode != 0
    assert "The C++ compiler" in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not compiles(), reason="no C++ compiler with OpenMP and Python's headers")
def test_with_a_compiler_the_wheel_holds_the_native_module(tmp_path: Path) -> None:
    # Not optimised, for one instruction set, and all sources of a target at once: that compiles in
    # a tenth of the time. The module that all other tests use was compiled as it should be.
    flags = (
        "build-type=Debug", "define.CMAKE_CXX_FLAGS_DEBUG=", "define.RNNLAB_X86=OFF",
        "define.CMAKE_UNITY_BUILD=ON", "define.CMAKE_UNITY_BUILD_BATCH_SIZE=0",
    )  # fmt: skip
    done = build(tmp_path, *(f"-Ccmake.{flag}" for flag in flags), **{NATIVE_OR_FAIL: "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    (native,) = names_in(tmp_path) - package_files()
    assert native.startswith("rnnlab/_native.")
    assert names_in(tmp_path) > package_files()


@pytest.mark.skipif(not compiles(), reason="no C++ compiler with OpenMP and Python's headers")
def test_the_program_of_make_sanitize_fits_the_kernels() -> None:
    tests = ROOT / "native" / "tests"
    flags = ["-include", str(tests / "separate_arena.h"), str(tests / "kernels_test.cc")]
    assert not check_syntax(*flags)
