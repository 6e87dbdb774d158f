"""Shared by all tests: a text, one trained run, the command line."""

from pathlib import Path

import pytest
from command_line import Cli, made_up_text, run_rnnlab, start_rnnlab
from hypothesis import settings

# A busy machine must not fail a property test.
settings.register_profile("rnnlab", deadline=None)
settings.load_profile("rnnlab")

pytest_plugins = ["small_experiment"]


@pytest.fixture(scope="session")
def cli() -> Cli:
    """The command line in this process: fast; it has no environment of its own."""
    return run_rnnlab


@pytest.fixture(scope="session")
def cli_process() -> Cli:
    """The installed command in a process of its own: `env` changes its environment."""
    return start_rnnlab


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "pets.txt"
    file.write_text(made_up_text(600), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def train_flags(text_file: Path) -> list[str]:
    """A run of two seconds."""
    return (
        f"--corpus {text_file} --hidden-size 32 --embedding-size 8 --batch-size 8 --num-steps 20 "
        "--num-epochs 4 --learning-rate 0.01 --num-evaluations 4 --threads 1 --sample-length 30"
    ).split()


@pytest.fixture(scope="session")
def trained(
    cli_process: Cli, train_flags: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A run directory made by the command line, and what was printed."""
    directory = tmp_path_factory.mktemp("runs") / "pets"
    done = cli_process("train", *train_flags, "--run-dir", str(directory))
    assert done.returncode == 0, done.stderr
    return directory, done.stdout
