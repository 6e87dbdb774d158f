"""Which settings a resumed run keeps, which may change and which may not."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from interrupted import ended_well, resumed, start

import rnnlab
from rnnlab.config import Settings
from rnnlab.errors import ChecksumError, UsageError
from rnnlab.files import read_json
from rnnlab.runs.files import state_files
from rnnlab.runs.identity import RunIdentity, check_same_run
from rnnlab.runs.run import Run
from rnnlab.runs.state_saver import newest_state
from rnnlab.runs.training import train


def test_a_setting_that_an_earlier_version_lacked_counts_as_its_default(stopped: Path) -> None:
    settings = Run.open(stopped).settings
    was, now = (
        RunIdentity(
            settings=settings.model_dump(mode="json"),
            corpus_sha256="",
            tokenizer_sha256="",
            environment={},
        )
        for _ in range(2)
    )
    del was.settings["model"]["forget_bias"]
    check_same_run(was, now, stopped)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 64}, "hidden_size cannot be changed when resuming: {0} was started with "
         "32, config.toml or the command line says 64 (can change: num_epochs, "),
        ({"seed": 3}, "seed cannot be changed when resuming: {0} was started with 0, "
         "config.toml or the command line says 3 (can change: "),
        ({"split": (0.5, 0.25, 0.25)}, "split cannot be changed when resuming: {0} was started "
         "with 0.9 0.05 0.05, config.toml or the command line says 0.5 0.25 0.25 (can change: "),
    ],
)  # fmt: skip
def test_settings_that_cannot_change_are_refused(
    trained: tuple[Path, str], change: dict[str, Any], message: str
) -> None:
    directory, _ = trained
    with pytest.raises(UsageError) as caught:
        resumed(directory, **change)
    assert str(caught.value).startswith(message.format(directory))


def test_resume_excludes_config_and_run_dir(cli: Cli, trained: tuple[Path, str]) -> None:
    for flags in (["--config", "lab-report"], ["--run-dir", "x"]):
        done = cli("train", "--resume", str(trained[0]), *flags)
        assert (done.returncode, done.stderr) == (
            2,
            "rnnlab: error: resume takes settings and directory from the run; leave out config and "
            "run_dir\n",
        )
    with pytest.raises(UsageError, match=r"^resume takes settings and directory from the run; "):
        rnnlab.train("lab-report", resume=trained[0])


def test_another_text_is_refused_and_the_same_one_elsewhere_is_not(
    small: Settings, text_file: Path, tmp_path: Path
) -> None:
    text, directory = tmp_path / "text.txt", tmp_path / "run"
    text.write_bytes(text_file.read_bytes())
    assert ended_well(start(small.with_changes(corpus=str(text)), directory))
    text.write_text(text.read_text() + "More.\n")
    with pytest.raises(ChecksumError) as caught:
        resumed(directory, num_epochs=3)
    assert str(caught.value) == (
        f"the text of {directory} has changed since training began; it can only go on with the "
        "text that it began with"
    )
    with pytest.raises(UsageError) as refused:
        resumed(directory, num_epochs=3, corpus="python-reference")
    assert str(refused.value) == (
        f"corpus 'python-reference' is not the text of {directory}, {str(text)!r}; "
        "training can only go on with the text that it began with"
    )
    shown = resumed(directory, num_epochs=3, corpus=str(text_file))
    assert "resumed   from step" in shown
    assert re.search(r"^engine    \w+ \(as before\),", shown, re.MULTILINE)


def test_a_relative_path_means_the_same_text_when_resumed_elsewhere(
    small: Settings, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run may be resumed in another working directory."""
    monkeypatch.chdir(text_file.parent)
    directory = tmp_path / "run"
    train(small.with_changes(corpus=text_file.name), directory)
    before = read_json(directory / "result.json")["evaluations"]
    (directory / "result.json").unlink()  # as if killed before the end
    resumed(directory)
    assert read_json(directory / "result.json")["evaluations"] == before
    assert {record["corpus"] for record in before} == {str(text_file)}


def test_another_engine_is_reported(trained: tuple[Path, str], tmp_path: Path) -> None:
    directory = tmp_path / "run"
    shutil.copytree(trained[0], directory)
    step = int(state_files(directory)[0].stem)
    shown = resumed(directory, engine="textbook", num_epochs=5)
    engine = newest_state(trained[0]).facts.about.settings["machine"]["engine"]
    told = (
        f"from step {step:,} on the bits may differ from those of an uninterrupted run: "
        f"engine textbook, was {engine}"
    )
    assert f"note      {told}" in shown
    assert read_json(directory / "result.json")["training"]["bits_may_differ"] == [told]
    assert f"note      {told}" in resumed(directory, num_epochs=6), "it stays true"
    assert read_json(directory / "result.json")["training"]["bits_may_differ"] == [told]


def test_lost_settings_are_restored_from_the_training_state(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    config = run / "config.toml"
    was = config.read_text()
    config.unlink()
    done = cli("doctor", str(run))
    assert done.stderr == (
        f"rnnlab: error: {run} has lost its config.toml; rnnlab train --resume {run} writes it "
        "anew\n"
    )
    assert "has ended" in cli("train", "--resume", str(run)).stderr
    assert config.read_text() == was
    config.unlink()
    done = cli("train", "--resume", str(run), "--num-epochs", "5")
    assert done.returncode == 0, done.stderr
    assert config.read_text() == was.replace("num_epochs = 4", "num_epochs = 5")


@pytest.mark.parametrize(
    ("keep", "fault"),
    [
        ("learning_rate", "damaged, it has no learning_rate"),  # another would be taken in silence
        ("learning_rate = ", "not TOML: Invalid value (at end of document)"),
    ],
)
def test_torn_settings_are_refused(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path, keep: str, fault: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    config = run / "config.toml"
    before, found, _ = config.read_text().partition(keep)
    config.write_text(before + (found if "=" in found else ""))
    done = cli("train", "--resume", str(run), "--num-epochs", "5")
    assert done.stderr == (
        f"rnnlab: error: {config}: {fault}; delete it, and --resume will write it again from the "
        "training state\n"
    )
