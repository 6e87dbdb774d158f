"""Every chapter runs from its first cell to its last, with the figures that its words rely on."""

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli

from rnnlab.course import judge
from rnnlab.course.patients import PATIENTS

COURSE = Path(__file__).parents[1] / "docs" / "course"
CHAPTERS = sorted(COURSE.glob("[0-9]-*.md"))
NOTEBOOKS = [*CHAPTERS, COURSE / "break-it.md"]
SOLUTIONS = (COURSE / "solutions.md").read_text(encoding="utf-8")
ANSWERS = (COURSE / "break-it-solutions.md").read_text(encoding="utf-8")
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n((?:^:[^\n]*\n)*)(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("chapter", NOTEBOOKS, ids=lambda file: file.stem)
def test_chapter(chapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    text = chapter.read_text(encoding="utf-8")
    cells = list(CELL.finditer(text))
    assert cells
    for cell in cells:
        # So that a traceback names the line of the chapter.
        above = "\n" * text.count("\n", 0, cell.start(2))
        exec(compile(above + cell[2], str(chapter), "exec"), names)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda file: file.stem)
def test_exercises_have_checks_and_solutions(chapter: Path) -> None:
    number = chapter.name[0]
    text = chapter.read_text(encoding="utf-8")
    asked = re.findall(rf"^\*\*({number}\.\d)\*\*", text, re.MULTILINE)
    solved = re.findall(rf"^\*\*({number}\.\d)\*\*", SOLUTIONS, re.MULTILINE)
    assert len(asked) >= 4
    assert asked == solved
    for exercise in asked:
        words = f"{exercise}: put your answer in the place of the dots."
        assert judge(exercise, ...) == (False, words)


def test_each_patient_is_asked_about_and_solved() -> None:
    numbers = [f"B.{number}" for number in PATIENTS]
    asked, solved = (
        re.findall(r"^\*\*(B\.\d+)\*\*", (COURSE / page).read_text(encoding="utf-8"), re.MULTILINE)
        for page in ("break-it.md", "break-it-solutions.md")
    )
    assert asked == numbers[1:]  # the first is the example
    assert solved == numbers
    for number, own in PATIENTS.items():
        (words,) = re.findall(rf"^\*\*B\.{number}\*\* \*(.*?)\*", ANSWERS, re.MULTILINE)
        assert words.lower() == own.illness


def test_the_commands_of_the_lab_sheet(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each runs as it stands, with smaller budgets, and for all cells and two seeds.

    Budgets are tokens, not seconds, so that a busy machine learns as much.
    """
    monkeypatch.chdir(tmp_path)
    sheet = (COURSE / "lab-sheet.md").read_text(encoding="utf-8")
    found = [shlex.split(line) for line in re.findall(r"(?:^\$ |`)rnnlab ([^`\n]+)", sheet, re.M)]
    assert [command[0] for command in found] == [
        "train", "evaluate", "train", "doctor", "train", "compare", "generate", "report",
    ]  # fmt: skip
    shorter = {"--budget": "--max-tokens", "30s": "20000", "60": "6", "300000": "3000"}
    shorter["timemachine"] = "python-reference"  # which is always there
    for command in found:
        words = [shorter.get(word, word) for word in command]
        each = [words]
        if "rnn" in words:
            each = [
                [{"rnn": cell, "1": seed}.get(word, word).replace("rnn-s1", f"{cell}-s{seed}")
                 for word in words]
                for cell in ("rnn", "gru", "lstm") for seed in "12"
            ]  # fmt: skip
        for args in each:
            if args[0] == "train" and "--corpus-limit" not in args:
                args = [*args, "--corpus-limit", "20000"]
            args = [str(name) for arg in args for name in sorted(Path().glob(arg)) or [arg]]
            done = cli(*args)
            assert done.returncode == 0, (args, done.stderr)
            if args[0] == "evaluate":
                assert re.search(r"this model, carried .*\n(.*\n)*.* unigram", done.stdout)
            if args[0] == "compare":
                assert "2 pairs of seeds" in done.stdout


def test_the_picture_of_the_cell_is_as_drawn() -> None:
    docs = COURSE.parent
    drawn = runpy.run_path(str(docs / "draw_cell.py"))["picture"]()
    assert (docs / "lstm-cell.svg").read_text(encoding="utf-8") == drawn, "run docs/draw_cell.py"
