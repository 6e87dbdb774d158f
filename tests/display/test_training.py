"""What the terminal shows of a run."""

import io
import json
import math
import random
from contextlib import suppress
from pathlib import Path

import pyte
import pytest
from rich.table import Table

from rnnlab.config import Settings
from rnnlab.console import BLOCKS
from rnnlab.display import evaluations, work
from rnnlab.display import training as module
from rnnlab.display.plain_console import PlainConsole
from rnnlab.display.training import TrainingDisplay
from rnnlab.display.training_status import UNIT, sample_lines, speed_notes, text_chart
from rnnlab.doctor.diagnose import diagnose
from rnnlab.engines.thread_pace import ThreadPace
from rnnlab.errors import DivergenceError, RunDirectoryError
from rnnlab.runs.evaluation import evaluate
from rnnlab.runs.training import train

SMALL = {
    "hidden_size": 16, "embedding_size": 4, "batch_size": 4, "num_steps": 10, "num_epochs": 3,
    "num_evaluations": 6,
}  # fmt: skip
"""Trains in an instant."""

ROWS = 60
"""Of a terminal; the longest path of a run still leaves room below for what grows."""


class Emulator(io.StringIO):
    """A terminal that keeps what it has shown after each write."""

    def __init__(self, columns: int, encoding: str = "utf-8") -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(columns, ROWS, history=1000)
        self.stream = pyte.Stream(self.screen)
        self.shown: list[list[str]] = []
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        text.encode(self.encoding)  # as strict as a real terminal
        self.stream.feed(text.replace("\n", "\r\n"))
        self.shown.append([line.rstrip() for line in self.screen.display])
        return super().write(text)


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_terminal_gets_a_live_display_that_fits_its_width(
    text_file: Path, tmp_path: Path, columns: int, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    terminal = Emulator(columns, encoding)
    console = PlainConsole(
        file=terminal, force_terminal=True, width=columns, height=ROWS, soft_wrap=True
    )
    file = tmp_path / "text.txt"
    file.write_text(text_file.read_text().replace("a", "α中"))
    settings = Settings().with_changes("test", **SMALL, corpus=str(file))
    with TrainingDisplay(console=console) as display:
        train(settings, tmp_path / "run", [display])
    live = [lines for lines in terminal.shown if any(line.startswith(UNIT) for line in lines)]
    assert live
    places = set()
    for lines in live:
        (losses,) = (n for n, line in enumerate(lines) if line.startswith(f"{UNIT}: training"))
        places.add(losses)
        assert "epoch" in lines[losses - 1]
        assert "tokens/s" in lines[losses + 1]
        below = [line for line in lines[losses + 2 :] if line]
        assert len(below) <= 5 + 2, "a curve and a sample, updated in place"
    final = terminal.shown[-1]
    assert not any(line.startswith(f"{UNIT}: training") for line in final), "it is removed"
    assert any("this model" in line for line in final)
    assert len(places) == 1, "evaluations do not scroll the screen"
    text = terminal.getvalue()
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l") > 0, "the cursor is given back"


def test_captions_of_tables_are_broken_between_words(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_table(records: object) -> list[Table]:
        return [Table("a column as wide as the table is", title="title", caption="caption " * 30)]

    monkeypatch.setattr(evaluations, "evaluation_tables", one_table)
    terminal = Emulator(47)
    console = PlainConsole(file=terminal, force_terminal=True, width=47, soft_wrap=True)
    settings = Settings().with_changes("test", **SMALL, corpus=str(text_file))
    train(settings, tmp_path / "run", [TrainingDisplay(console=console)])
    assert " ".join(terminal.shown[-1]).split().count("caption") == 30


def test_a_log_has_a_line_for_each_milestone_that_fits_80_columns(
    text_file: Path, tmp_path: Path
) -> None:
    screen = io.StringIO()
    settings = Settings().with_changes("test", **SMALL, corpus=str(text_file))
    train(settings, tmp_path / "run", [TrainingDisplay(console=PlainConsole(file=screen))])
    lines = screen.getvalue().splitlines()
    first = lines.index(
        " done  training  held-out        epoch   tokens/s  gradient  clipped      left"
    )
    content = (tmp_path / "run" / "metrics.jsonl").read_text()
    metrics = [json.loads(line) for line in content.splitlines()]
    total = metrics[-1]["step"]
    even = {math.ceil(total * k / 6) for k in range(1, 7)}  # early evaluations have no line
    held_out = [
        line["bits_per_character"]
        for line in metrics
        if line["kind"] == "held-out" and line["step"] in even
    ]
    rows = lines[first + 1 : first + 1 + 2 * len(even)]
    assert all(len(line) <= 80 for line in rows)
    assert rows[-2].split()[0] == "100%"
    assert all(row.startswith("     | ") for row in rows[1::2]), "samples"
    assert [float(row.split()[2]) for row in rows[::2]] == pytest.approx(held_out, abs=5e-4)
    last = [line for line in metrics if line["kind"] == "train"][-1]
    # One character is one token, so bits per character are the loss in bits.
    bits = last["nats_per_token"] / math.log(2)
    assert float(rows[-2].split()[1]) == pytest.approx(bits, abs=0.1)


def test_the_losses_on_the_screen_have_one_unit_for_words_too(
    text_file: Path, tmp_path: Path
) -> None:
    """The training figure is near that of an evaluation, which spells unknown words as well."""
    file, numbers = tmp_path / "text.txt", random.Random(0)
    words = text_file.read_text().split(" ")
    file.write_text(" ".join(w if numbers.random() < 0.9 else str(numbers.random()) for w in words))
    screen = io.StringIO()
    settings = Settings().with_changes(
        "test", **SMALL | {"num_epochs": 20}, corpus=str(file), tokenizer="word",
        min_frequency=30, learning_rate=0.01, sample_length=0,
    )  # fmt: skip
    display = TrainingDisplay(console=PlainConsole(file=screen))
    train(settings, tmp_path / "run", [display])
    row = next(line for line in screen.getvalue().splitlines() if line.startswith(" 100%"))
    records, _ = evaluate(tmp_path / "run", splits=["train"], contexts=["carried"], baselines=False)
    assert records[0].unknown_tokens > 100
    assert float(row.split()[1]) == pytest.approx(records[0].bits_per_character, rel=0.05)


def test_a_sample_shows_what_does_not_print() -> None:
    console = PlainConsole()
    assert sample_lines("\n\n", console, 20, 2) == ["⏎⏎"]
    assert sample_lines("a\tb\x1b[2J", console, 20, 2) == ["a b␛[2J"]
    assert sample_lines("", console, 20, 2) == []
    assert sample_lines("abcdefgh", console, 4, 1) == ["a..."]
    assert sample_lines("中文中文中文", console, 5, 2) == ["中文", "中..."]
    assert sample_lines("to be or not", console, 8, 2) == ["to be or", "not"]


def test_a_terminal_shows_the_progress_of_reading_and_measuring() -> None:
    screen = io.StringIO()
    shown = TrainingDisplay(console=PlainConsole(file=screen, force_terminal=True, width=80))
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
    shown = TrainingDisplay(console=PlainConsole(file=screen))
    shown.reading("tokenizing", 0.25)
    assert not screen.getvalue(), "it has just begun"
    monkeypatch.setattr(work, "WORKING_SECONDS", 0)
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
    display = TrainingDisplay(console=PlainConsole(file=screen, width=200))
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
    filled = heights(lines)[::2]
    assert filled[0] == 1
    assert filled[-1] == 4 * 8
    assert filled == sorted(filled)
    assert filled[1] - filled[0] < filled[3] - filled[2]
    assert lines[0].startswith("  5.000 │")
    assert lines[-1].startswith("  1.000 │")


def test_text_chart_keeps_its_width_and_is_empty_without_values() -> None:
    assert len(heights(text_chart([float(i) for i in range(1000)], width=30))) == 30
    assert len(heights(text_chart([float(i) for i in range(20)], width=30))) == 20
    assert text_chart([]) == text_chart([float("nan")]) == []
    assert len(heights(text_chart([2.0, 2.0]))) == 4, "few columns are two characters wide"


def shown_of_training(tmp_path: Path, **settings: object) -> list[str]:
    """Train for an instant and return the lines of the log; "run" is the directory."""
    console = PlainConsole(file=io.StringIO(), soft_wrap=True)
    asked = Settings().with_changes(**{**SMALL, "sample_length": 0, **settings})
    with TrainingDisplay(console=console) as display, suppress(DivergenceError):
        train(asked, tmp_path / "run", [display])
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_training_ends_with_the_doctors_verdict_in_two_lines(
    text_file: Path, tmp_path: Path
) -> None:
    shown = shown_of_training(tmp_path, corpus=str(text_file), learning_rate=1e-5)
    found, advice = diagnose(tmp_path / "run").in_brief()
    assert shown[-3:] == [
        f"doctor    {found}",
        f"          {advice}",
        f"run directory: {tmp_path / 'run'}",
    ]
    assert found == "learning rate too low; held-out text is a copy of training text"
    assert advice == (
        "try in a new run --learning-rate 0.003 (now 1e-05); then in a new run --corpus FILE, "
        f"without the copies; more: rnnlab doctor {tmp_path / 'run'}"
    )


def test_a_diverged_run_ends_with_the_verdict_too(text_file: Path, tmp_path: Path) -> None:
    wild = {"cell": "rnn-relu", "optimizer": "sgd", "learning_rate": 1e4, "clip_norm": 0.0}
    shown = shown_of_training(tmp_path, corpus=str(text_file), **wild)
    assert shown[-2] == "doctor    diverged"
    assert shown[-1].startswith(
        "          try in a new run --learning-rate 0.1 --clip-norm 1 (now 10000); "
    )


def test_a_run_is_complete_even_if_it_cannot_be_judged(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RunDirectoryError("metrics.jsonl: gone")

    monkeypatch.setattr(module, "diagnose_trained", fail)
    shown = shown_of_training(tmp_path, corpus=str(text_file))
    assert shown[-3] == "doctor    cannot judge this run: metrics.jsonl: gone"
    assert (tmp_path / "run" / "result.json").is_file()


def speed_notes_of(mean_threads: float, speed: float, expected: float = 100_000.0) -> list[str]:
    training = {"mean_threads": mean_threads, "tokens_per_second": speed}
    return list(speed_notes(training, 2, expected))


def test_summary_says_if_few_threads_were_used_or_training_was_slow() -> None:
    assert speed_notes_of(1.9, 90_000.0) == []
    assert speed_notes_of(1.9, 90_000.0, expected=0.0) == []
    assert speed_notes_of(1.0, 90_000.0) == [
        "1.0 of 2 threads used on average, since fewer were faster: other programs use the cores, "
        "or the network is small"
    ]
    assert speed_notes_of(2.0, 30_000.0) == [
        "30,000 tokens/s instead of the 100,000 measured before training, by which the settings "
        "were chosen; other programs may use the cores"
    ]
    assert speed_notes_of(0.0, 0.0) == []  # a run that ended before its first step


def test_training_prints_its_notes_on_speed(
    text_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ThreadPace, "mean_threads", property(lambda pace: 0.5 * pace.most))
    shown = "\n".join(shown_of_training(tmp_path, corpus=str(text_file), threads=2))
    assert "1.0 of 2 threads used on average" in shown
