"""What the terminal shows of a run."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from rnnlab.config import Settings
from rnnlab.display import training as module
from rnnlab.display.training import BLOCKS, TrainingDisplay, text_chart
from rnnlab.runs.training import train


def test_a_terminal_gets_a_live_bar_with_all_figures(text_file: Path, tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)
    settings = Settings().with_changes(
        corpus=str(text_file), hidden_size=16, embedding_size=4, batch_size=4, num_steps=10,
        num_epochs=3, num_evaluations=2,
    )  # fmt: skip
    train(settings, tmp_path / "run", [TrainingDisplay(console=console)])
    shown = screen.getvalue()
    assert "\x1b[?25l" in shown, "a live display hides the cursor"
    assert shown.count("\x1b[?25h") == shown.count("\x1b[?25l"), "and gives it back"
    for part in (
        "training ppl", "held-out", "bits/char", "tokens/s", "grad norm", "clipped", "s left",
    ):  # fmt: skip
        assert part in shown


def test_a_terminal_shows_the_progress_of_reading_and_measuring() -> None:
    screen = io.StringIO()
    shown = TrainingDisplay(console=Console(file=screen, force_terminal=True, width=80))
    with shown:
        shown.reading("tokenizing", 0.25)
        shown.reading("tokenizing", 0.5)
    with shown:
        shown.measuring("test, carried", 0.75)
    assert " 50% tokenizing" in screen.getvalue()
    assert " 75% measuring test, carried" in screen.getvalue()
    assert screen.getvalue().count("\x1b[?25h") == 2, "the cursor is given back"


def test_without_a_terminal_progress_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    shown = TrainingDisplay(console=Console(file=screen))
    shown.reading("tokenizing", 0.25)
    assert not screen.getvalue(), "it has just begun"
    monkeypatch.setattr(module, "WORKING_SECONDS", 0)
    shown.reading("tokenizing", 0.5)
    shown.measuring("test, carried", 0.75)
    assert screen.getvalue() == "reading   tokenizing: 50%\nmeasuring test, carried: 75%\n"


def test_unknown_characters_of_the_sample_prefix_are_reported(
    text_file: Path, tmp_path: Path
) -> None:
    screen = io.StringIO()
    settings = Settings.from_flat({
        "corpus": str(text_file), "hidden_size": 8, "num_epochs": 1, "sample_prefix": "a\u20ac",
    })  # fmt: skip
    display = TrainingDisplay(console=Console(file=screen, width=200))
    train(settings, tmp_path / "run", [display])
    assert (
        "note      samples: prefix 'a\u20ac': '\u20ac' not in the vocabulary, read as <unk>\n"
        in screen.getvalue()
    )


def heights(lines: list[str]) -> list[int]:
    """Return the height of each column in eighths of a line."""
    columns = zip(*(line.partition("│")[2] for line in lines), strict=True)
    return [sum(BLOCKS.index(cell) for cell in column) for column in columns]


def test_text_chart_rises_with_its_values() -> None:
    lines = text_chart([1.0, 2.0, 3.0, 5.0], height=4)
    filled = heights(lines)
    assert filled[0] == 1
    assert filled[-1] == 4 * 8
    assert filled == sorted(filled)
    assert filled[1] - filled[0] < filled[3] - filled[2]
    assert lines[0].startswith("  5.000 │")
    assert lines[-1].startswith("  1.000 │")


def test_text_chart_keeps_its_width_and_is_empty_without_values() -> None:
    assert len(heights(text_chart([float(i) for i in range(1000)], width=30))) == 30
    assert text_chart([]) == text_chart([float("nan")]) == []
    assert len(heights(text_chart([2.0, 2.0]))) == 2
