"""`rnnlab probe` and `rnnlab.probe` on a run, as a user calls them."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import Cli, made_up_text

import rnnlab
from rnnlab.errors import CorpusError, UsageError
from rnnlab.probes import PORTRAIT


def said(done) -> str:
    return " ".join(done.stderr.replace("│", " ").split())


def test_the_portrait_of_a_run(cli: Cli, trained: tuple[Path, str], tmp_path: Path):
    run, page = trained[0], tmp_path / "inside.html"
    done = cli("probe", str(run), "--html", str(page), "--npz", str(tmp_path / "all.npz"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{run.name}, the test split of ")
    assert lines[0].endswith("pets.txt, 767 tokens")
    named = {line.split()[0] for line in lines[1:] if line[0] != " "}
    assert named == {*PORTRAIT}
    assert "<svg" in page.read_text(encoding="utf-8")
    assert (tmp_path / "all.npz").stat().st_size > 1000


def test_one_probe_of_a_text(cli: Cli, trained: tuple[Path, str]):
    done = cli("probe", str(trained[0]), "The cat sees the dog.", "--what", "surprise", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found["probes"]) == ["surprise"]
    assert found["text"] == "the given text, 21 tokens"
    assert "".join(found["probes"]["surprise"]["tokens"]) == "The cat sees the dog."


@pytest.mark.parametrize(
    "words", [["probe", "--what", "surprise"], ["generate", "--length", "3"], ["evaluate"]], ids=str
)
def test_weights_of_a_run_that_is_still_training(
    cli: Cli, trained: tuple[Path, str], tmp_path, words
):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    (run / "result.json").unlink()
    for path in (run, run / "checkpoint" / "best"):
        done = cli(words[0], str(path), *words[1:])
        assert done.returncode == 0, done.stderr
        assert "rnnlab: note: the run has not ended; these are its weights so far" in said(done)


def test_two_runs_on_the_same_text(cli: Cli, trained: tuple[Path, str]):
    run = str(trained[0])
    done = cli("probe", run, run, "--what", "surprise", "--json")
    found = json.loads(done.stdout)
    one, two = found["networks"]
    assert one["text"].startswith("the test split of ")
    text = one.pop("text")
    assert two.pop("text") == text
    assert one == two
    assert found["comparison"]["lead"] == 0
    lines = cli("probe", run, run, "--what", "surprise").stdout.splitlines()
    name = trained[0].name
    assert lines[0] == (
        f"It may be chance: {name} (1) is 0.000 bits per character ahead of {name} (2); "
        "766 characters are too few for an interval."
    )
    assert lines[1].startswith(f"{name} (1), the test split of ")
    assert f"{name} (2), {text}" in lines


def test_figures_are_files(cli: Cli, trained: tuple[Path, str], tmp_path: Path):
    folder = tmp_path / "figures"
    flags = ["--what", "surprise", "timescales", "--figures", str(folder)]
    done = cli("probe", str(trained[0]), *flags, "--figure-format", "svg")
    assert done.returncode == 0, done.stderr
    assert said(done) == f"rnnlab: note: 1 figure written to {folder}"
    assert [file.name for file in folder.iterdir()] == ["timescales.svg"]


def test_memorisation_finds_the_training_text_of_the_run(cli: Cli, trained: tuple[Path, str]):
    done = cli("probe", str(trained[0]), "--what", "memorisation", "exposure")
    assert done.returncode == 2
    assert "canaries" in said(done)
    done = cli("probe", str(trained[0]), "--what", "memorisation")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("memorisation ")


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--what", "surprize"], "unknown probe 'surprize'; did you mean 'surprise'? (choices: "),
        (["a"], "a text of 1 tokens is too short for a probe; it needs 2"),
        (["some text", "--text", "file.txt"], "give a text or --text FILE, not both"),
        (["some text", "--what", "reach"], "too short"),
        (["some text", "--what", "ablation"], "a text of 9 tokens is too short for an ablation"),
        (["--html", "."], "--html . is a folder; give the name of a file"),
        (["--figures", __file__], "is a file; give the name of a folder"),
        (["--what", "following", "--pattern", "("], "("),
        (["--text", "nowhere.txt"], "nowhere.txt"),
    ],
    ids=str,
)
def test_what_is_not_possible_is_one_sentence(
    cli: Cli, trained: tuple[Path, str], flags: list[str], error: str
):
    done = cli("probe", str(trained[0]), *flags)
    assert done.returncode in (1, 2)
    assert error in said(done)
    assert "Traceback" not in done.stderr


def test_in_python_a_portrait_leaves_out_what_is_not_possible(trained: tuple[Path, str]):
    found = rnnlab.probe(trained[0], "The cat sees the dog. The dog sees the cat.")
    assert set(found.left_out) >= {"timescales", "reach", "following"}
    assert "surprise" in found.results
    named, first = f"{trained[0].name}, the given text, 43 tokens", "surprise: The text takes "
    assert repr(found).startswith(f"{named}\n{first}")
    with pytest.raises(CorpusError, match="too short to follow a change"):
        rnnlab.probe(trained[0], "The cat sees the dog.", what="timescales")
    with pytest.raises(UsageError, match="give a text or a file, not both"):
        rnnlab.probe(trained[0], "The cat", file="other.txt")


def test_a_run_that_has_no_checkpoint_yet(cli: Cli, trained: tuple[Path, str], tmp_path: Path):
    run = tmp_path / "young"
    run.mkdir()
    for name in ("config.toml", "environment.json", "metrics.jsonl"):
        (run / name).write_bytes((trained[0] / name).read_bytes())
    done = cli("probe", str(run), "The cat")
    assert done.returncode == 2
    assert "young' has no checkpoint yet; give a run directory or a model folder" in said(done)


def test_a_model_without_its_training_text(cli: Cli, train_flags: list[str], tmp_path: Path):
    text, run = tmp_path / "gone.txt", tmp_path / "run"
    text.write_text(made_up_text(300), encoding="utf-8")
    flags = [*train_flags, "--corpus", str(text), "--num-epochs", "1", "--run-dir", str(run)]
    assert cli("train", *flags).returncode == 0
    text.unlink()
    done = cli("probe", str(run), "--what", "surprise")
    assert done.returncode == 2
    where = "if it has moved, say where it is with --corpus"
    assert "the model's own text is not available: " in said(done)
    assert said(done).endswith(f"{where}, or give another text")
    done = cli("probe", str(run), "The cat sees the dog.", "--what", "memorisation")
    assert done.returncode == 2
    assert said(done).endswith(where)
    assert cli("probe", str(run), "The cat sees the dog.", "--what", "surprise").returncode == 0
