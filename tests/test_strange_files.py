"""Pipes and devices, terminal escape sequences, closed output, unusable weights."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import RNNLAB, TINY, Cli, made_up_text
from forked import Forked
from safetensors.torch import load_file, save_file

ESC = "\x1b]0;owned\x07"
"""Sets a terminal's title."""


def model(trained: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained[0] / "checkpoint" / "last", tmp_path / "model"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_pipe_in_a_model_folder_is_an_error(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path, name: str
) -> None:
    folder = model(trained, tmp_path)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    done = cli("generate", str(folder))
    assert (done.returncode, done.stdout) == (2 if name == "config.json" else 1, "")
    wanted = (
        "is not a run directory; give a" if name == "config.json" else "is not a regular file\n"
    )
    assert wanted in done.stderr


def test_a_pipe_can_be_read_as_a_text_once(cli: Cli, tmp_path: Path) -> None:
    pipe, run = tmp_path / "pipe", str(tmp_path / "run")
    os.mkfifo(pipe)
    feeding = subprocess.Popen(["sh", "-c", f"cat > {pipe}"], stdin=subprocess.PIPE, text=True)
    assert feeding.stdin
    with feeding.stdin as stream:
        stream.write(made_up_text(100))
    done = cli("train", "--corpus", str(pipe), *TINY, "--num-epochs", "1", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    assert feeding.wait(10) == 0
    again = cli("train", "--resume", run, "--num-epochs", "2")
    assert (again.returncode, again.stderr) == (1, f"rnnlab: error: {pipe} is not a regular file\n")
    told = cli("evaluate", run)
    assert told.returncode == 1
    assert told.stderr == (
        f"rnnlab: error: the model's own text is not available: {pipe} is not a regular file; if "
        "it has moved, say where it is with --corpus, or evaluate another text with --text\n"
    )
    text = tmp_path / "text.txt"
    text.write_text(made_up_text(100))
    more = cli("train", "--resume", run, "--num-epochs", "2", "--corpus", str(text))
    assert more.returncode == 0, more.stderr


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl", "samples.txt"])
def test_a_pipe_in_a_run_directory_is_an_error(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path, name: str
) -> None:
    run = Path(shutil.copytree(trained[0], tmp_path / "run"))
    (run / name).unlink()
    os.mkfifo(run / name)
    done = cli("train", "--resume", str(run), "--num-epochs", "99")
    assert done.returncode == (0 if name == ".lock" else 1), done.stderr
    if name != ".lock":
        assert done.stderr.startswith(f"rnnlab: error: {run / name} is not a regular file")


def test_an_endless_text_is_refused_at_its_first_nul(cli: Cli) -> None:
    done = cli("train", "--corpus", "/dev/zero")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "rnnlab: error: file /dev/zero is not text: NUL byte at offset 0;"
    )


def test_missing_best_weights_are_an_error_or_a_notice(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained[0], tmp_path / "run"))
    best = run / "checkpoint" / "best"
    (best / "config.json").unlink()
    for command in ("evaluate", "generate"):
        done = cli(command, str(run))
        assert (done.returncode, done.stderr) == (
            1, f"rnnlab: error: {best}: damaged, it has no file config.json; "
            f"{run / 'checkpoint' / 'last'} is intact (--checkpoint last); rnnlab train --resume "
            f"{run} --num-epochs 8 goes on from the training state, and writes all weights again\n",
        )  # fmt: skip
    shutil.rmtree(best)
    note = "rnnlab: note: the run has no checkpoint/best; its last weights are used\n"
    assert cli("generate", str(run), "--prefix", "The").stderr == note
    told = cli("evaluate", str(run), "--no-baselines", "--context", "carried")
    assert (told.returncode, told.stderr) == (0, note)
    assert told.stdout.count("weights: last") == 2


def test_a_run_directory_that_is_a_file_is_an_error(cli: Cli, text_file: Path) -> None:
    done = cli("train", "--corpus", str(text_file), "--run-dir", str(text_file))
    assert (done.returncode, done.stderr) == (
        2, f"rnnlab: error: run directory '{text_file}' is a file; give another --run-dir\n"
    )  # fmt: skip


def at_a_terminal(*args: str) -> str:
    """Return what is sent to a terminal."""
    ours, theirs = pty.openpty()
    process = Forked(*args, terminal=os.ttyname(theirs))
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:  # the other side has closed
        pass
    os.close(ours)
    assert process.ended().returncode in (0, 1, 2)
    return shown.decode()


def test_terminal_escape_sequences_are_made_visible(cli: Cli, tmp_path: Path) -> None:
    text = tmp_path / f"odd{ESC}.txt"
    text.write_text(ESC * 200)
    run = str(tmp_path / "run")
    flags = [*TINY, "--num-epochs", "2", "--num-evaluations", "2", "--run-dir", run]
    shown = at_a_terminal("train", "--corpus", str(text), *flags)
    assert "odd␛]0;owned␇.txt" in shown
    assert "\x1b]0" not in shown
    command = ["generate", run, "--length", "30", "--temperature", "0", "--prefix", ESC]
    assert "\x1b]0" in cli(*command).stdout, "a file gets the text as it is"
    told = at_a_terminal(*command)
    assert "␛]0;owned␇" in told
    assert "\x1b]0" not in told
    error = at_a_terminal("train", "--corpus", f"no{ESC}")
    assert "\x1b" not in error


@pytest.mark.parametrize("output", ["closed", "full"])
def test_closed_or_full_output_is_not_reported_as_a_run_directory_error(
    text_file: Path, tmp_path: Path, output: str
) -> None:
    run = tmp_path / "run"
    flags = " ".join([*TINY, "--num-epochs", "50", "--num-evaluations", "50"])
    end = "| head -1" if output == "closed" else "> /dev/full"
    command = f"{RNNLAB} train --corpus {text_file} {flags} --run-dir {run} {end}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    reason = "Broken pipe" if output == "closed" else "No space left on device"
    assert done.stderr.startswith(f"rnnlab: error: standard output: {reason}; training stopped at ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith(f" is kept; go on with rnnlab train --resume {run}\n")


@pytest.mark.parametrize("command", ["evaluate", "generate"])
def test_weights_that_give_nan_are_an_error(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path, command: str
) -> None:
    folder = model(trained, tmp_path)
    file = folder / "model.safetensors"
    weights = load_file(file)
    weights["output.weight"].fill_(3e38)
    save_file(weights, file, {"format": "pt"})
    done = cli(command, str(folder))
    assert done.returncode == 1
    assert done.stderr.endswith(
        "rnnlab: error: the model's output is NaN or infinite; its weights are unusable\n"
    )
