"""Output in encodings that lack what is printed: nothing fails, and files stay the same."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from command_line import RNNLAB, TINY, Cli

import rnnlab

ENCODINGS = ("ascii", "latin-1", "cp1252")
WORDS = ["été", "“guillemets”", "—", "naïve", "中文", "Ελλάς", "µ", "हिन्दी", "́a", "🙂"]
"""Each encoding lacks some of it."""


def foreign_text() -> str:
    choice = random.Random(0).choice
    return "".join(" ".join(choice(WORDS) for _ in range(6)) + "\n" for _ in range(300))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory; names in it are foreign as well."""
    folder = tmp_path_factory.mktemp("文") / "Ελλάς"
    folder.mkdir()
    (folder / "中文.txt").write_text(foreign_text(), encoding="utf-8")
    return folder


def training(folder: Path, run: str) -> list[str]:
    return [
        "train", "--corpus", str(folder / "中文.txt"), *TINY, "--num-epochs", "1",
        "--num-evaluations", "2", "--sample-length", "60", "--run-dir", str(folder / run),
    ]  # fmt: skip


def run(args: list[str], **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the installed command; what it prints is returned as bytes."""
    return subprocess.run(
        [RNNLAB, *args], capture_output=True, check=False, timeout=300,
        env={**os.environ, "COLUMNS": "100", **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def utf8_run(cli: Cli, folder: Path) -> Path:
    done = cli(*training(folder, "läuft-utf8"))
    assert done.returncode == 0, done.stderr
    assert "█" in done.stdout, "the curve"
    assert "中" in done.stdout
    return folder / "läuft-utf8"


def content(run: Path) -> tuple[Any, ...]:
    """Return what does not depend on the time that things took."""
    result = json.loads((run / "result.json").read_bytes())
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]
    held_out = [line for line in metrics if line["kind"] == "held-out"]
    return result["evaluations"], held_out, (run / "samples.txt").read_bytes()


def test_training_ends_well_and_its_files_do_not_depend_on_the_screen(
    cli: Cli, folder: Path, utf8_run: Path
) -> None:
    """In a process of its own, whose environment names the encoding, and in this one."""
    done = run(training(folder, "läuft-ascii"), PYTHONIOENCODING="ascii")
    here = cli(*training(folder, "läuft-cp1252"), encoding="cp1252")
    assert (done.returncode, done.stderr) == (here.returncode, here.stderr.encode()) == (0, b"")
    for encoding, shown in (("ascii", done.stdout.decode("ascii")), ("cp1252", here.stdout)):
        assert " |#" in shown, "the curve has an ASCII form"
        assert "bits/" in shown
        assert "\\u4e2d\\u6587.txt" in shown, "names are escaped"
        assert content(folder / f"läuft-{encoding}") == content(utf8_run)


def test_training_in_a_locale_that_is_not_utf8(
    folder: Path, utf8_run: Path, tmp_path: Path
) -> None:
    """The locale also decides how files without a declared encoding are read and written."""
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", tmp_path / "en_US.ISO-8859-1"]
    try:
        subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine cannot make locales")
    file, args = tmp_path / "text.txt", training(tmp_path, "run")
    file.write_text(foreign_text(), encoding="utf-8")
    done = run(
        [*args[:2], str(file), *args[3:]],
        LC_ALL="en_US.ISO-8859-1", LOCPATH=str(tmp_path), PYTHONWARNDEFAULTENCODING="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = str(Path(rnnlab.__file__).parent).encode()
    assert [line for line in done.stderr.splitlines() if line.startswith(ours)] == []
    assert b"Traceback" not in done.stderr
    assert "é".encode("latin-1") in done.stdout, "what the encoding has is not escaped"
    of_utf8, of_locale = content(utf8_run), content(tmp_path / "run")
    assert of_locale[1:] == of_utf8[1:]


@pytest.fixture(scope="module")
def commands(folder: Path, utf8_run: Path) -> dict[str, list[str]]:
    """A call of each command, with foreign text in what it prints."""
    experiment = {
        "question": "Ist α größer als β? 中文",
        "seeds": 2,
        "phrases": ["中文 “été”"],
        "base": {
            "corpus": str(folder / "中文.txt"), "hidden_size": 8, "embedding_size": 4,
            "batch_size": 4, "num_steps": 10, "num_epochs": 1, "num_evaluations": 1,
            "sample_length": 0,
        },
        "variant": [{"name": "α"}, {"name": "größer 🙂", "change": {"cell": "gru"}}],
    }  # fmt: skip
    (folder / "Versuch").mkdir()
    (folder / "Versuch" / "experiment.toml").write_bytes(tomli_w.dumps(experiment).encode())
    file, model, versuch = str(folder / "中文.txt"), str(utf8_run), str(folder / "Versuch")
    return {
        "train": training(folder, "läuft"),
        "generate": ["generate", model, "--prefix", "中文 α", "été", "--length", "30"],
        "evaluate": ["evaluate", model, "--text", file],
        "doctor": ["doctor", model],
        "experiment": ["experiment", versuch],
        "reproduce": ["reproduce", "größer 中文"],
        "report": ["report", versuch],
        "corpora": ["corpora", "--data-dir", str(folder)],
        "engines": ["engines"],
        "bench": ["bench", "--engine", "builtin", "--hidden-size", "8", "--rounds", "1",
                  "--seconds", "0.01"],
        "help": ["train", "--help"],
        "usage": ["train", "--größer", "中文"],
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "name",
    ["train", "generate", "evaluate", "doctor", "experiment", "reproduce", "report", "corpora",
     "engines", "bench", "help", "usage"],
)  # fmt: skip
def test_every_command_can_print_in_every_encoding(
    cli: Cli, commands: dict[str, list[str]], name: str, encoding: str
) -> None:
    args = commands[name]
    if name == "train":
        args = [*args[:-1], f"{args[-1]}-{encoding}-again"]
    done = cli(*args, encoding=encoding)
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if name in ("reproduce", "usage") else 0), done.stderr
    assert done.stdout or done.stderr
    printed = [line for line in done.stdout.splitlines() if name != "generate"]
    assert [line for line in printed if line != line.rstrip()] == [], "trailing spaces"
