"""Measures the figures of README and docs again, and writes them into the pages.

`declared_figures.py` declares each measurement: its commands, its figures with their tolerances.
`figures.json` keeps what was measured last and where. `templates/NAME.md` is the template of a part
of a page, which is everything between two comments:

    <!-- figures: NAME -->
    ...
    <!-- end of figures -->

    make figures                                        all; 40 minutes on two idle cores
    python benchmarks/figures.py bench tinyshakespeare  some
    python benchmarks/figures.py --list                 what there is, and how long it takes
    python benchmarks/figures.py --write                only write the pages again

Figures that moved by more than their tolerance are listed. What could not be measured keeps its
last figures, is listed as well, and makes the exit code 1.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from tempfile import TemporaryDirectory
from typing import Any

from declared_figures import MEASUREMENTS, PAGES
from figure_types import Block, Figure, Measurement, Output

ROOT = Path(__file__).parents[1]
STORE = Path(__file__).with_name("figures.json")
MINUTES = 40
"""How long all measurements may take together."""

BLOCKS = {
    name: Block(page, (Path(__file__).with_name("templates") / f"{name}.md").read_text("utf-8"))
    for name, page in PAGES.items()
}

Values = dict[str, dict[str, Any]]
"""For each measurement `machine`, `date` and `figures`."""


@dataclass(frozen=True)
class Move:
    """A figure that is not what it was."""

    name: str
    figure: Figure
    before: float | str
    after: float | str


def measure(measurement: Measurement, root: Path = ROOT) -> dict[str, Any]:
    """Run the commands of a measurement in an empty folder and read its figures.

    Raises RuntimeError if a command fails, or if figures are missing or not declared.
    """
    printed = []
    with TemporaryDirectory() as name:
        for command in measurement.commands:
            words = shlex.split(f"{command.shown} {command.hidden}".format(root=root))
            done = subprocess.run(
                runnable(words, root),
                cwd=name,
                env=environment(root),
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise RuntimeError(f"{shlex.join(words)}: {done.stderr.strip()[-2000:]}")
            printed.append(done.stdout)
        figures = measurement.read(Output(Path(name), printed))
    if figures.keys() != measurement.figures.keys():
        different = ", ".join(sorted(figures.keys() ^ measurement.figures.keys()))
        raise RuntimeError(f"declared or measured, but not both: {different}")
    return figures


def runnable(words: Sequence[str], root: Path) -> list[str]:
    """Return a command of the pages as it is run: with this Python, and this checkout's files."""
    if words[0] == "rnnlab":
        return [sys.executable, "-m", "rnnlab", *words[1:]]
    return [sys.executable, str(root / words[1]), *words[2:]]


def environment(root: Path) -> dict[str, str]:
    """Return the environment for a command that is run in another folder."""
    folders = os.environ.get("RNNLAB_DATA", str(root.parent / "shared" / "data"))
    absolute = os.pathsep.join(str(Path(part).resolve()) for part in folders.split(os.pathsep))
    return {**os.environ, "RNNLAB_DATA": absolute, "COLUMNS": "80"}


def machine() -> str:
    """Return what the figures of this machine hold for."""
    from rnnlab.runs.environment import environment

    found = environment()
    level = f", {found['instruction_set']}" if found["instruction_set"] else ""
    torch = found["torch"].partition("+")[0]
    cores = "1 core" if found["threads"] == 1 else f"{found['threads']} cores"
    return f"{cores} of {found['cpu']}{level}, torch {torch}"


def moves(
    name: str, measurement: Measurement, before: Values, after: Mapping[str, Any]
) -> list[Move]:
    """Return the figures that moved by more than their tolerance."""
    known = before.get(name, {}).get("figures", {})
    return [
        Move(f"{name}.{key}", figure, known[key], after[key])
        for key, figure in measurement.figures.items()
        if key in known and figure.moved(known[key], after[key])
    ]


def render(block: Block, values: Values, measurements: Mapping[str, Measurement]) -> str:
    """Return the part of a page, with the figures that it prints."""
    names = used(block)
    machines = list(dict.fromkeys(values[name]["machine"] for name in names))
    filled: dict[str, Any] = {
        name: {"command": measurements[name].commands[0].shown, **values[name]["figures"]}
        for name in names
    }
    return block.template.format(machine="; ".join(machines), **filled)


def used(block: Block) -> list[str]:
    """Return the measurements that a part of a page prints figures of."""
    fields = [field for _, field, _, _ in Formatter().parse(block.template) if field]
    return list(dict.fromkeys(field.partition("[")[0] for field in fields if field != "machine"))


def replace_block(text: str, name: str, content: str) -> str:
    """Put a part into a page; raises LookupError unless its comments are there once."""
    begin, end = f"<!-- figures: {name} -->\n", "<!-- end of figures -->"
    parts = re.split(f"({re.escape(begin)})(.*?)({re.escape(end)})", text, flags=re.DOTALL)
    if len(parts) != 5:
        raise LookupError(f"{begin.strip()} ... {end} must be there once")
    parts[2] = content.strip("\n") + "\n"
    return "".join(parts)


def write_pages(
    values: Values,
    blocks: Mapping[str, Block] = BLOCKS,
    measurements: Mapping[str, Measurement] = MEASUREMENTS,
    root: Path = ROOT,
) -> None:
    """Write the figures into all pages."""
    for name, block in blocks.items():
        page = root / block.page
        text = page.read_text(encoding="utf-8")
        page.write_text(
            replace_block(text, name, render(block, values, measurements)), encoding="utf-8"
        )


def in_words(move: Move, pages: Sequence[str]) -> str:
    """Say which figure moved, from where to where, and where it is printed."""
    amounts = f"{move.before} -> {move.after}"
    if not isinstance(move.before, str) and not isinstance(move.after, str):
        amounts = f"{move.before:.4g} -> {move.after:.4g} {move.figure.unit}"
    return (
        f"{move.name}: {amounts} (tolerance {move.figure.tolerance_in_words}; {', '.join(pages)})"
    )


def run(
    names: Sequence[str],
    store: Path = STORE,
    blocks: Mapping[str, Block] = BLOCKS,
    measurements: Mapping[str, Measurement] = MEASUREMENTS,
    root: Path = ROOT,
) -> int:
    """Measure, keep the figures, write the pages, and tell what moved; return the exit code.

    What this machine cannot measure keeps its figures, whose machine the pages name.
    """
    values: Values = json.loads(store.read_text(encoding="utf-8"))
    where = machine()
    moved: list[Move] = []
    failed: dict[str, str] = {}
    for name in names:
        measurement = measurements[name]
        if lacks := measurement.lacks():
            print(f"{name}: keeps its last figures; it needs {lacks}")
            continue
        print(f"{name}: about {measurement.minutes:g} min ... ", end="", flush=True)
        began = time.perf_counter()
        try:
            figures = measure(measurement, root)
        except RuntimeError as error:
            failed[name] = str(error)
            print("failed")
            continue
        print(f"{time.perf_counter() - began:.0f} s")
        moved += moves(name, measurement, values, figures)
        date = time.strftime("%Y-%m-%d")
        values[name] = {"machine": where, "date": date, "figures": figures}
        content = json.dumps(values, indent=1, ensure_ascii=False, sort_keys=True)
        store.write_text(content + "\n", encoding="utf-8")
    write_pages(values, blocks, measurements, root)
    print(f"\n{len(moved)} figures moved by more than their tolerance{':' if moved else '.'}")
    for move in moved:
        own = move.name.partition(".")[0]
        print("  " + in_words(move, [b.page for b in blocks.values() if own in used(b)]))
    for name, why in failed.items():
        print(f"\n{name} was not measured and keeps its last figures: {why}")
    return 1 if failed else 0


def main() -> int:
    """Measure all, or what is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--list", action="store_true", help="list the measurements")
    parser.add_argument("--write", action="store_true", help="write the pages, measure nothing")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in MEASUREMENTS]:
        parser.error(f"no measurement {unknown[0]!r} (choices: {', '.join(MEASUREMENTS)})")
    if arguments.list:
        for name, each in MEASUREMENTS.items():
            print(f"{name:16}{each.minutes:4.1f} min  {'; '.join(c.shown for c in each.commands)}")
        return 0
    if arguments.write:
        write_pages(json.loads(STORE.read_text(encoding="utf-8")))
        return 0
    return run(arguments.names or list(MEASUREMENTS))


if __name__ == "__main__":
    sys.exit(main())
