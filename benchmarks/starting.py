"""How long commands take to start: seconds from a new process to the first character.

Each command is started again and again, in turn with the others: `generate` until the first
character after its prefix, the others until they end. For comparison: Python alone, and Python that
imports torch. Modules are compiled once, before. `--imports` says which packages a command imports,
with the milliseconds that each takes without what it imports itself.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import rnnlab

ROWS = "".join(
    f"{'even' if n % 2 == 0 else 'odd'}\tthe number {n} and so on\n" for n in range(9_000)
)
TEXT = f"label\ttext\n{ROWS}"
PREFIX = "the number "
PYTHON = [sys.executable]
COMMANDS = {
    "python": [*PYTHON, "-c", "pass"],
    "torch": [*PYTHON, "-c", "import torch"],
    "help": [*PYTHON, "-m", "rnnlab", "--help"],
    "generate": [*PYTHON, "-m", "rnnlab", "generate", "text", "--prefix", PREFIX],
    "score": [*PYTHON, "-m", "rnnlab", "score", "text", "line.txt"],
    "evaluate": [*PYTHON, "-m", "rnnlab", "evaluate", "text", "line.txt", "--no-baselines"],
    "classify": [*PYTHON, "-m", "rnnlab", "classify", "labelled", "line.txt"],
}

ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def prepare(folder: Path) -> None:
    """Train two small models of 256 units, one of a text and one of labelled lines."""
    file = folder / "lines.tsv"
    file.write_text(TEXT, encoding="utf-8")
    (folder / "line.txt").write_text("the number 12 and what follows it\n", encoding="utf-8")
    options = {"corpus": str(file), "max_seconds": 5.0, "hidden_size": 256, "quiet": True}
    rnnlab.train(run_dir=folder / "text", **options)
    rnnlab.train(
        run_dir=folder / "labelled", unit="lines", label_column="label", column="text", **options
    )


def imported(name: str, folder: Path) -> Counter[str]:
    """Return the microseconds of import by package, of Python itself as one."""
    python, *rest = COMMANDS[name]
    done = subprocess.run(
        [python, "-X", "importtime", *rest], cwd=folder, env=ENVIRONMENT, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    found: Counter[str] = Counter()
    for microseconds, module in re.findall(
        r"^import time: +(\d+) \|[ \d]+\| +(\S+)", done.stderr, re.M
    ):
        package = module.partition(".")[0]
        found["Python" if package in sys.stdlib_module_names else package] += int(microseconds)
    return found


def seconds(name: str, folder: Path) -> float:
    """Start a command; return the seconds until its first character, or until its end."""
    began = time.perf_counter()
    with subprocess.Popen(
        COMMANDS[name], cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        if name == "generate":
            shown = b""
            while len(shown) <= len(PREFIX):
                if not (more := os.read(process.stdout.fileno(), 1 << 16)):
                    break
                shown += more
            found = time.perf_counter() - began
        _, errors = process.communicate()
    if process.returncode:
        sys.exit(f"{name} failed: {errors.decode()}")
    return found if name == "generate" else time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--imports", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for command in COMMANDS:  # files that are read for the first time
            seconds(command, folder)
        if arguments.imports:
            for command in COMMANDS:
                packages = imported(command, folder).most_common()
                shown = (f"{package} {us / 1000:.0f}" for package, us in packages if us >= 500)
                print(f"{command:<9} {', '.join(shown)} ms")
            return
        rounds = [{c: seconds(c, folder) for c in COMMANDS} for _ in range(arguments.rounds)]
    found = {c: [row[c] for row in rounds] for c in COMMANDS}
    summary = {c: [median(row), min(row), max(row)] for c, row in found.items()}
    if arguments.json:
        print(json.dumps(summary))
        return
    for command, (middle, low, high) in summary.items():
        print(f"{command:<9} {middle:.2f} s ({low:.2f} .. {high:.2f})")


if __name__ == "__main__":
    main()
