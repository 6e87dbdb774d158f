"""Measured figures: pages, declarations and measurements agree; measuring works on made-up ones."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

import rnnlab.cli

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.append(str(BENCHMARKS))

import figures  # noqa: E402
from figure_types import TEXT, Block, Command, Figure, Measurement, Output  # noqa: E402
from figures import BLOCKS, MEASUREMENTS, PAGES  # noqa: E402

VALUES: figures.Values = json.loads(figures.STORE.read_text(encoding="utf-8"))
OTHER_PAGES = [  # a chapter of the course computes its figures, and checks them
    str(page.relative_to(ROOT))
    for folder in ("docs", "docs/how-to", "docs/reference", "docs/explanation")
    for page in (ROOT / folder).glob("*.md")
]
MEASURED_PAGES = sorted({*PAGES.values(), *OTHER_PAGES})

# The declarations of this project.


@pytest.mark.parametrize("name", BLOCKS)
def test_a_page_prints_what_was_measured(name: str) -> None:
    page = (ROOT / BLOCKS[name].page).read_text(encoding="utf-8")
    content = figures.render(BLOCKS[name], VALUES, MEASUREMENTS)
    assert figures.replace_block(page, name, content) == page, "run: benchmarks/figures.py --write"


def printed() -> Iterator[tuple[str, str]]:
    """Every measurement and figure that a template names."""
    for block in BLOCKS.values():
        for _, field, _, _ in Formatter().parse(block.template):
            if field and field != "machine":
                name, _, figure = field.partition("[")
                yield name, figure.removesuffix("]")


def test_every_measurement_is_printed_and_has_all_its_figures() -> None:
    assert {name for name, _ in printed()} == MEASUREMENTS.keys() == VALUES.keys()
    for name, figure in printed():
        assert figure == "command" or figure in MEASUREMENTS[name].figures
    for name, measurement in MEASUREMENTS.items():
        assert VALUES[name]["figures"].keys() == measurement.figures.keys()
        for key, value in VALUES[name]["figures"].items():
            assert isinstance(value, str) == (measurement.figures[key] is TEXT), f"{name}.{key}"


def test_what_depends_on_the_machine_names_it() -> None:
    for name, block in BLOCKS.items():
        units = {
            MEASUREMENTS[own].figures[key].unit
            for own in figures.used(block)
            for key in MEASUREMENTS[own].figures
        }
        if units & {"s", "µs", "k tokens/s", "MB/s", "MiB"}:
            assert "{machine}" in block.template, name


def test_all_measurements_together_take_no_more_than_40_minutes() -> None:
    assert sum(each.minutes for each in MEASUREMENTS.values()) <= figures.MINUTES == 40


COMMANDS = [(name, command) for name, each in MEASUREMENTS.items() for command in each.commands]


@pytest.mark.parametrize(
    ("name", "command"), COMMANDS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(COMMANDS)]
)
def test_commands_are_understood(
    name: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(f"{command.shown} {command.hidden}".format(root=ROOT))
    if words[0] == "python":
        assert (ROOT / words[1]).is_file()
        return
    assert words[0] == "rnnlab"
    # A flag that does not exist is found before anything is done; --help would hide it.
    known = set(re.findall(r"--[a-z0-9-]+", help_of(words[1], capsys)))
    assert {word for word in words[2:] if word.startswith("--")} <= known


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        rnnlab.cli.main([command, "--help"])
    return capsys.readouterr().out


NOT_MEASURED = {
    # Counts and choices, which tests hold to the code.
    "docs/reference/model-folder.md", "docs/how-to/resume.md", "docs/reference/doctor.md",
    "docs/reference/glossary.md",
}  # fmt: skip


@pytest.mark.parametrize("page", [p for p in MEASURED_PAGES if p not in NOT_MEASURED])
def test_tables_of_figures_are_written_from_measurements(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    outside = re.sub(r"<!-- figures: .*?<!-- end of figures -->", "", text, flags=re.DOTALL)
    numbers = re.compile(r"\|\s*\**[+-]?\d[\d.,]*%?\**(?=[\s|(])")
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    assert [row for row in rows if len(numbers.findall(row)) >= 2] == []


# Measuring, on made-up declarations.

SPEED = """
import json, os, pathlib, sys
pathlib.Path("left").write_text("4.5")
print(json.dumps({"speed": float(sys.argv[1]), "words": os.environ["COLUMNS"]}))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "speed.py").write_text(SPEED)
    page = "Before.\n\n<!-- figures: speeds -->\nold\n<!-- end of figures -->\n\nAfter.\n"
    (tmp_path / "page.md").write_text(page)
    store = {"speed": {"machine": "old", "date": "", "figures": {"quick": 100.0, "left": 4.0}}}
    (tmp_path / "figures.json").write_text(json.dumps(store))
    return tmp_path


BLOCK = {"speeds": Block("page.md", "`{speed[command]}`: **{speed[quick]:.0f}**\n\non {machine}")}


def declared(speed: str, **figures: Figure) -> dict[str, Measurement]:
    def read(output: Output) -> dict[str, float | str]:
        left = float((output.folder / "left").read_text())
        return {"quick": output.parsed(0)["speed"], "left": left}

    known = {"quick": Figure("k/s", 0.1, share=True), "left": Figure("s", 1.0), **figures}
    return {"speed": Measurement((Command("python speed.py", speed),), 0.1, known, read)}


def measured(root: Path, measurements: dict[str, Measurement]) -> int:
    return figures.run(["speed"], root / "figures.json", BLOCK, measurements, root)


def test_a_measurement_is_kept_and_written_into_its_page(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(root, declared("105.0")) == 0
    store = json.loads((root / "figures.json").read_text())["speed"]
    assert store["figures"] == {"quick": 105.0, "left": 4.5}
    assert (root / "page.md").read_text() == (
        "Before.\n\n<!-- figures: speeds -->\n"
        f"`python speed.py`: **105**\n\non {store['machine']}\n"
        "<!-- end of figures -->\n\nAfter.\n"
    )
    assert "torch" in store["machine"]
    assert "0 figures moved by more than their tolerance." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("speed", "figures_", "told"),
    [
        ("89", {}, ["speed.quick: 100 -> 89 k/s (tolerance 10%; page.md)"]),
        ("111", {}, ["speed.quick: 100 -> 111 k/s (tolerance 10%; page.md)"]),
        ("91", {}, []),
        ("100", {"left": Figure("s", 0.4)}, ["speed.left: 4 -> 4.5 s (tolerance 0.4 s; page.md)"]),
    ],
)
def test_what_moved_by_more_than_its_tolerance_is_said(
    root: Path, capsys: pytest.CaptureFixture[str],
    speed: str, figures_: dict[str, Figure], told: list[str],
) -> None:  # fmt: skip
    assert measured(root, declared(speed, **figures_)) == 0
    out = capsys.readouterr().out
    assert f"{len(told)} figures moved by more than their tolerance" in out
    assert [line.strip() for line in out.splitlines() if "->" in line] == told


def test_what_cannot_be_measured_keeps_its_figures(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(root, declared("fast")) == 1
    assert json.loads((root / "figures.json").read_text())["speed"]["figures"]["quick"] == 100
    assert "`python speed.py`: **100**\n\non old" in (root / "page.md").read_text()
    out = capsys.readouterr().out
    assert "speed was not measured and keeps its last figures: " in out
    assert "could not convert string to float: 'fast'" in out


def test_what_this_machine_cannot_measure_keeps_its_figures(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (root / "figures.json").read_text()
    one = declared("5.5")
    lacking = {name: replace(each, lacks=lambda: "wings") for name, each in one.items()}
    assert measured(root, lacking) == 0
    assert "speed: keeps its last figures; it needs wings\n" in capsys.readouterr().out
    assert (root / "figures.json").read_text() == before


def test_figures_that_are_declared_but_not_measured_are_a_failure(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(root, declared("100", missing=TEXT)) == 1
    assert "declared or measured, but not both: missing" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["no comments", "<!-- figures: speeds -->\n" * 2])
def test_a_page_without_the_comments_is_refused(page: str) -> None:
    with pytest.raises(
        LookupError, match=r"^<!-- figures: speeds --> \.\.\. .* must be there once"
    ):
        figures.replace_block(page, "speeds", "text")
