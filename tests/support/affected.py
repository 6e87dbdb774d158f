"""Run the tests that a change touches, nearest first, for as long as `make check` may take.

    python tests/support/affected.py [--seconds 40] [pytest's arguments]

The change is what differs from where this branch left main; on main itself, what is not committed,
or else the last commit. Its tests, in this order: those of the house; changed test files, and test
files named after a changed module; test files that import a changed module; test files that import
a module which imports a changed one. When the seconds are over no further test is started.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from source_tree import MODULES, imported_modules, imported_names

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SUPPORT = {file.stem: file for file in Path(__file__).parent.glob("*.py")}
SECONDS = "RNNLAB_CHECK_SECONDS"


def git(*args: str) -> list[str]:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.split("\n") if done.returncode == 0 else []


def changed_files() -> list[Path]:
    """Return the files that differ from main, committed or not, without those that are gone."""
    base = (git("merge-base", "HEAD", "main") or ["HEAD"])[0]
    new = git("ls-files", "--others", "--exclude-standard")
    names = git("diff", "--name-only", base) + new
    if not any(names):
        names = git("diff", "--name-only", "HEAD~1")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@cache
def modules_of_test(file: Path) -> frozenset[str]:
    """Return the modules of rnnlab that a test file imports, itself or through tests/support."""
    modules = imported_modules(file)
    for name in imported_names(file):
        support = SUPPORT.get(name.partition(".")[0])
        if support and support != file:
            modules |= modules_of_test(support)
    return frozenset(modules)


def is_named_after(test: Path, module: str) -> bool:
    """Whether `tests/lm/test_model_init.py` and the like are about `rnnlab.lm.model`."""
    *rooms, name = module.split(".")[1:]
    folder = TESTS.joinpath(*rooms)
    return test.parent == folder and f"{test.stem}_".startswith(f"test_{name}_")


def affected(changed: Iterable[Path]) -> list[Path]:
    """Return the test files that a change touches, nearest first."""
    changed = set(changed)
    tests = sorted(TESTS.rglob("test_*.py"))
    modules = {module for module, file in MODULES.items() if file in changed}
    importers = {module for module, file in MODULES.items() if imported_modules(file) & modules}
    support = {name for name, file in SUPPORT.items() if file in changed}
    others = {file.name for file in changed if file.suffix != ".py"}
    native = any(file.is_relative_to(ROOT / "native") for file in changed)

    def distance(test: Path) -> int | None:
        if test.name == "test_architecture.py":
            return 0
        if test in changed or any(is_named_after(test, module) for module in modules):
            return 1
        if native and test.name.startswith("test_native"):
            return 1
        names = {name.partition(".")[0] for name in imported_names(test)}
        if modules_of_test(test) & modules or names & support:
            return 2
        text = test.read_text(encoding="utf-8")
        if any(name in text for name in others):
            return 2
        return 3 if modules_of_test(test) & importers else None

    near = {test: far for test in tests if (far := distance(test)) is not None}
    return sorted(near, key=lambda test: near[test])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """As a plugin of pytest: start no test after the time is up."""
    if time.time() > float(os.environ[SECONDS]):
        pytest.skip("left to `make test`")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "left to `make test`" in str(report.longrepr)
    ]
    if left:
        files = {report.nodeid.partition("::")[0] for report in left}
        terminalreporter.write_line(
            f"The time is up; left to `make test`: {len(left)} tests in {', '.join(sorted(files))}"
        )


def main() -> int:
    began = time.time()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--list", action="store_true", help="name the files and run nothing")
    args, rest = parser.parse_known_args()
    files = [str(file.relative_to(ROOT)) for file in affected(changed_files())]
    if args.list:
        print("\n".join(files))
        return 0
    environment = {
        **os.environ,
        SECONDS: str(began + args.seconds),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    command = [sys.executable, "-m", "pytest", "-p", "affected", *rest, *files]
    return subprocess.call(command, cwd=ROOT, env=environment)


if __name__ == "__main__":
    sys.exit(main())
