"""Runs on documents, and runs with texts of their own, through the command line."""

import json
import random
import re
from pathlib import Path

import pytest
from command_line import TINY, Cli

import rnnlab

FLAGS = [*TINY, "--ngram-order", "4", "--num-evaluations", "2", "--num-epochs", "3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(0)
    place = tmp_path_factory.mktemp("documents") / "notes"
    for number in range(90):
        file = place / f"part{number % 3}" / f"{number:02}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"item {rng.choice('abc')}{rng.randint(0, 99)}" for _ in range(rng.randint(1, 5))]
        file.write_text("\n  ".join(["list:", *lines]) + "\n")
    return place


@pytest.fixture(scope="module")
def run(cli: Cli, folder: Path) -> tuple[Path, str]:
    directory = folder.parent / "run"
    done = cli("train", str(folder), "--unit", "documents", *FLAGS, "--run-dir", str(directory))
    assert (done.returncode, done.stderr) == (0, "")
    return directory, done.stdout


def test_a_run_says_what_it_read(folder: Path, run: tuple[Path, str]) -> None:
    told = dict(line.split(maxsplit=1) for line in run[1].splitlines()[:3])
    assert told["corpus"] == f"folder {folder}: 90 texts, one after another"
    assert told["samples"].startswith("documents: train 81, validation 5, test 4")


def test_files_are_scored_whole(cli: Cli, folder: Path, run: tuple[Path, str]) -> None:
    one, other = folder / "part0" / "00.txt", folder / "part1" / "01.txt"
    done = cli("score", str(run[0]), str(one), str(folder / "part1"))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["file"] for row in rows[:2]] == [str(one), str(other)]
    assert len(rows) == 31
    assert not {"line", "text"} & rows[0].keys()
    model = rnnlab.load(run[0])
    texts = [one.read_text(), other.read_text()]
    assert [row["nats"] for row in rows[:2]] == pytest.approx(model.score(texts).nats, abs=1e-3)
    assert rows[0]["nats"] == pytest.approx(model.score(texts[0]).nats, abs=1e-2)
    assert rows[0]["characters"] == len(texts[0]) - 1  # a line break at its end is left out
    assert 0 <= rows[0]["quantile"] <= 1
    tokens = cli("score", str(run[0]), str(one), "--per", "token").stdout.splitlines()
    assert "".join(json.loads(token)["token"] for token in tokens) == texts[0]
    piped = cli("score", str(run[0]), input=texts[0]).stdout
    assert json.loads(piped)["nats"] == rows[0]["nats"]


def test_what_is_written_are_documents(cli: Cli, folder: Path, run: tuple[Path, str]) -> None:
    alone = cli("generate", str(run[0]), "--length", "400", "--seed", "3").stdout
    assert alone.startswith("list:\n  item")
    assert alone.count("list:") == 1  # it ends where the document ends
    several = cli("generate", str(run[0]), "--count", "3", "--seed", "1")
    parts = several.stdout.split("--- ")[1:]
    assert [part.partition("\n")[0] for part in parts] == ["1 of 3", "2 of 3", "3 of 3"]
    as_json = cli("generate", str(run[0]), "--count", "3", "--seed", "1", "--json")
    rows = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [row["text"] + "\n" for row in rows] == [part.partition("\n")[2] for part in parts]
    known = {file.read_text().rstrip() for file in folder.rglob("*.txt")}
    new = cli("generate", str(run[0]), "--count", "5", "--novel", "--json").stdout.splitlines()
    trained = _training_samples(run[0])
    assert trained <= known
    assert not {json.loads(row)["text"] for row in new} & trained
    prefix = "list:\n  item a"
    assert cli("generate", str(run[0]), "--prefix", prefix).stdout.startswith(prefix)
    beam = cli("generate", str(run[0]), "--prefix", prefix, "--beam-width", "2")
    assert (beam.returncode, beam.stdout[: len(prefix)]) == (0, prefix)


def test_documents_are_stopped_matched_and_separated(cli: Cli, run: tuple[Path, str]) -> None:
    ways = ("--count", "2", "--seed", "1", "--separator", "\\0")
    whole = cli("generate", str(run[0]), *ways).stdout.split("\0")
    assert len(whole) == 3
    assert all(text.startswith("list:\n  item") for text in whole[:2])
    stopped = cli("generate", str(run[0]), *ways, "--stop", "\\n").stdout
    assert stopped == "list:\0list:\0"
    found = cli("generate", str(run[0]), "--matching", r"list:\v  item b\d(\v  item b\d)?").stdout
    assert re.fullmatch(r"list:\n  item b\d(\n  item b\d)?\n", found)
    typed = cli("write", str(run[0]), "--seed", "3", input="list:\n").stdout
    assert typed.startswith("list:\n  item")


def _training_samples(run: Path) -> set[str]:
    from rnnlab.runs.evaluation import training_data

    text = training_data(rnnlab.load(run)).splits["train"].text
    return {sample.replace("\v", "\n") for sample in text[1:-1].split("\n")}


def test_it_is_evaluated_examined_and_resumed_until_a_file_changes(
    cli: Cli, folder: Path, run: tuple[Path, str]
) -> None:
    done = cli("evaluate", str(run[0]), str(folder / "part0"), "--no-baselines", "--json")
    record = json.loads(done.stdout)["evaluations"][0]
    assert record["corpus"] == str(folder / "part0")
    assert cli("doctor", str(run[0])).stderr == ""
    new = folder / "part0" / "new.txt"
    new.write_text("list:\n  item")
    refused = cli("train", "--resume", str(run[0]), "--num-epochs", "4")
    assert refused.returncode == 1
    assert "has changed since training began" in refused.stderr
    new.unlink()
    resumed = cli("train", "--resume", str(run[0]), "--num-epochs", "4", "--quiet")
    assert (resumed.returncode, resumed.stderr) == (0, "")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(1)
    place = tmp_path_factory.mktemp("own")
    for name, count in {"names": 900, "valid": 60, "test": 60}.items():
        lines = ["".join(rng.choices(["ka", "lo", "mi", "ra"], k=5)) for _ in range(count)]
        lines += ["kalo", f"only{name}"]
        (place / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return place


@pytest.mark.parametrize("unit", ["lines", "text"])
def test_a_run_with_texts_of_its_own(cli: Cli, names: Path, tmp_path: Path, unit: str) -> None:
    valid, test = tmp_path / "valid.txt", tmp_path / "test.txt"
    for file in (valid, test):
        file.write_text((names / file.name).read_text())
    directory = tmp_path / "run"
    done = cli(
        "train", str(names / "names.txt"), "--unit", unit, "--validation-corpus", str(valid),
        "--test-corpus", str(test), *FLAGS, "--num-epochs", "1", "--run-dir", str(directory),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    if unit == "lines":
        (told,) = [line for line in done.stdout.splitlines() if line.startswith("samples ")]
        assert "of the corpus left out, since held-out texts have them; " in told
        assert "test 62" in told
    result = json.loads((directory / "result.json").read_text())
    found = {record["split"]: record["corpus"] for record in result["evaluations"]}
    assert found == {"validation": str(valid), "test": str(test)}
    moved = tmp_path / "moved.txt"
    test.rename(moved)
    refused = cli("evaluate", str(directory))
    assert refused.returncode == 2
    assert "if it has moved, say where it is with --corpus or --validation-corpus" in refused.stderr
    for command in ("evaluate", "doctor"):
        again = cli(command, str(directory), "--test-corpus", str(moved), "--json")
        assert (again.returncode, again.stderr) == (0, "")
    other = cli("train", "--resume", str(directory), "--num-epochs", "2", "--test-corpus",
                str(valid))  # fmt: skip
    assert other.returncode == 2
    assert other.stderr.startswith(f"rnnlab: error: test_corpus {str(valid)!r} is not the text of")
    resumed = cli("train", "--resume", str(directory), "--num-epochs", "2", "--test-corpus",
                  str(moved), "--quiet")  # fmt: skip
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert f'"{moved}"' in (directory / "config.toml").read_text()
