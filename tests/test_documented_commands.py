"""Every command in the pages: understood by the real command line, and run with smaller budgets.

tests/test_readme.py runs those of the README.
"""

import csv
import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from command_line import made_up_text, run_rnnlab
from documented import PAGES, ROOT, commands, mentions
from forked import Forked

import rnnlab.cli
from rnnlab.commands import COMMANDS

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@cache
def flags_of(command: str) -> set[str]:
    """The flags that `--help` of a command lists."""
    return set(re.findall(r"--[a-z][a-z0-9-]*", run_rnnlab(*command.split(), "--help").stdout))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_in_sentences_have_flags_that_there_are(page: Path) -> None:
    for words in mentions(page):
        name, rest = rnnlab.cli.named_command(words)
        if name in ("COMMAND", "dynamic"):  # any command; what benchmarks/quality.py compares
            continue
        assert name in COMMANDS, words
        given = {word.partition("=")[0].rstrip(".,") for word in rest if word.startswith("--")}
        assert given <= flags_of(name), words


def is_placeholder(words: list[str]) -> bool:
    return bool({"FILE", "RUN", "MODEL", "PATH", "DIR"} & {*words})


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_are_understood(page: Path) -> None:
    """Flags, values and rules are checked as for the command itself, and nothing is done."""
    parse = rnnlab.cli.tyro.cli

    def parsed(*args: Any, **options: Any) -> Callable[[], None]:
        parse(*args, **options)
        return lambda: None

    for words in commands(page, "rnnlab"):
        if "--resume" not in words:  # takes the settings of the run
            with patch.object(rnnlab.cli.tyro, "cli", parsed):
                rnnlab.cli.run_command(words)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_programs_of_the_repository_are_there_with_their_flags(page: Path) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {words[0] for words in commands(page, "make") if words} <= {*targets}
    for words in commands(page, "python"):
        if words[0].startswith(("benchmarks/", "docs/", "tests/")):
            source = (ROOT / words[0]).read_text(encoding="utf-8")
            given = {word for word in words if word.startswith("--")}
            assert given <= {*re.findall(r'"(--[a-z-]+)"', source)}, words
        elif words[:2] == ["-m", "pytest"]:
            assert (ROOT / words[2]).exists(), words


TINY = [
    *("--hidden-size", "16", "--embedding-size", "8", "--batch-size", "8", "--num-steps", "16"),
    *("--num-evaluations", "1", "--max-tokens", "2000", "--sample-length", "20", "--threads", "1"),
    *("--no-automatic", "--num-epochs", "0"),
]
"""Training in half a second, whatever the page says."""

ELSEWHERE = {
    "serve": "runs until Ctrl-C: tests/web",
    "reproduce": "takes minutes: tests/test_experiments.py",
    "experiment": "takes a minute: tests/test_readme.py and tests/execution",
    "bench": "measures every engine: tests/test_readme.py",
    "import": "tests/test_other_tools_page.py",
    "report": "tests/report",
}
"""Commands that are not run here, and where they are."""

WRITTEN_PAGES = [
    page
    for page in PAGES
    if page.is_relative_to(ROOT / "docs") and "zh" not in page.parts and commands(page, "rnnlab")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages take for granted: texts, samples, tables, and runs by their names."""
    folder = tmp_path_factory.mktemp("pages")
    text = made_up_text(500)
    for name in ("my.txt", "book.txt"):
        (folder / name).write_text(text, encoding="utf-8")
    beginnings, ends = ("An", "Be", "ma", "to", "lu", "ka"), ("a", "o", "us", "ne", "rt", "m")
    parts = product(beginnings, ("", "ri", "na", "lo"), ends)
    some = ["".join(each) for each in parts]
    for name in ("names", "new-names", "other-names", "train", "valid", "test"):
        ours = some if name in ("names", "train") else [f"{each}{name[0]}" for each in some[:60]]
        (folder / f"{name}.txt").write_text("\n".join(ours) + "\n", encoding="utf-8")
    for name in ("poems", "drafts"):
        (folder / name).mkdir()
        for n in range(40):
            (folder / name / f"{n}.txt").write_text(made_up_text(6, seed=n), encoding="utf-8")
    (folder / "new-poem.txt").write_text(made_up_text(6, seed=99), encoding="utf-8")
    data = folder / "data"
    data.mkdir()
    tables = {"people.csv": ("name", "nationality"), "data/letters.csv": ("name", "script")}
    for table, columns in tables.items():
        with (folder / table).open("w", encoding="utf-8", newline="") as stream:
            rows = [(each, ("ETHIOPIC", "LATIN")[n % 2]) for n, each in enumerate(some)]
            csv.writer(stream).writerows([columns, *rows])
    for name in ("names.txt", "service.log", "new.log", "molecules.smi"):
        shutil.copy(folder / "names.txt", data / name)
    messages = "".join(json.dumps({"text": each}) + "\n" for each in some)
    (data / "messages.jsonl").write_text(messages, encoding="utf-8")
    shutil.copy(ROOT / "examples" / "cells" / "peephole_lstm.py", folder)
    shutil.copytree(ROOT / "experiments" / "cells", folder / "experiments" / "cells")
    for name, corpus in (("first", ["book.txt"]), ("names", ["names.txt", "--unit", "lines"])):
        run(folder, ["train", *corpus, "--run-dir", f"runs/{name}"])
    for name in ("lstm", "gru", "rnn", "plays", "messages", "256", "one", "two"):
        shutil.copytree(folder / "runs" / "first", folder / "runs" / name)
    shutil.copytree(folder / "runs" / "names", folder / "runs" / "log")
    for cell, seed in product(("lstm", "gru"), ("1", "2")):
        flags = ["--cell", cell, "--seed", seed, "--run-dir", f"runs/{cell}-s{seed}"]
        run(folder, ["train", "book.txt", *flags])
    shutil.copytree(folder / "runs" / "first", folder / "models" / "mine")
    return folder


def run(folder: Path, words: list[str]) -> None:
    """Run a command, which must go well; a new run takes the place of one of its name."""
    if "--resume" in words:
        run_directory = folder / words[words.index("--resume") + 1]
        tokens = json.loads((run_directory / "result.json").read_text())["training"]["tokens"]
        words = [*words, "--max-tokens", str(tokens + 500)]
    elif words[0] == "train":
        for flag, value in pairwise(words):
            if flag == "--run-dir":
                shutil.rmtree(folder / value, ignore_errors=True)
        words = [*words, *TINY]
    expanded = [
        name
        for word in words
        for name in (sorted(map(str, folder.glob(word))) if word.endswith("*") else [word])
    ]
    done = Forked(*expanded, cwd=folder).ended()
    assert done.returncode == 0, (words, done.stderr)


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ROOT.parent / "shared" / "data"
    monkeypatch.setenv("RNNLAB_DATA", str(data))
    for words in commands(page, "rnnlab"):
        if words[0] not in ELSEWHERE and not is_placeholder(words):
            if {"timemachine", "tinyshakespeare"} & {*words}:
                words = [*words, "--corpus", "book.txt", "--split", "0.8", "0.1", "0.1"]
            run(folder, words)
