"""Shared by all tests: a text, one trained run, the command line."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_line import TINY, Cli, made_up_text, run_rnnlab, start_rnnlab
from hypothesis import settings
from quick_workers import quicken

from rnnlab import signals

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Set before torch is loaded. Processes of several threads each would wait for one another, and as
# OpenMP's threads spin while they wait, tests of the kernels would take 5 times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A busy machine must not fail a property test. Each run draws other examples, so half of the usual
# number finds as much in two runs.
settings.register_profile("rnnlab", deadline=None, max_examples=50)
settings.load_profile("rnnlab")

pytest_plugins = ["small_experiment"]

LONGEST_FIRST = [
    "execution/test_ray_cluster_two_hosts.py",
    "web/test_runs_page.py",
    "web/test_write_page.py",
    "web/test_start_page.py",
    "web/test_run_control.py",
    "web/test_inside_page.py",
    "execution/test_experiment.py",
    "test_experiments.py",
    "runs/test_resume.py",
    "execution/test_experiment_killed.py",
    "test_signals.py",
    "test_install.py",
    "doctor/test_diagnose_illnesses.py",
    "execution/test_ray_cluster.py",
    "runs/test_training_faults.py",
    "test_readme.py",
    "test_documented_commands.py",
    "test_site.py",
    "runs/test_state_saver.py",
    "runs/test_resume_settings.py",
]
"""Files that run first, so that no process of `make test` waits at the end for one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {Path(__file__).parent / name: n for n, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session", autouse=True)
def quick_runs() -> Iterator[None]:
    """Runs draw nothing into curves.svg and do not wait for the disk, unless a test wants it."""
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch.setattr)
        yield


@pytest.fixture(autouse=True)
def no_signal_before() -> None:
    """A signal is no echo of one in the test before."""
    signals._last = -signals.ECHO_SECONDS


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
        "--num-epochs 4 --learning-rate 0.01 --num-evaluations 4 --threads 1 --sample-length 30 "
        "--no-automatic"
    ).split()


@pytest.fixture(scope="session")
def trained(
    cli: Cli, train_flags: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A run directory made by the command line, and what was printed."""
    directory = tmp_path_factory.mktemp("runs") / "pets"
    done = cli("train", *train_flags, "--run-dir", str(directory))
    assert done.returncode == 0, done.stderr
    return directory, done.stdout


@pytest.fixture(scope="session")
def of_names(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of samples with a text rule and n-grams: all that an exported graph leaves out."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "names.txt").write_text("".join(f"Name {i} of {i * 7}\n" for i in range(400)))
    done = cli(
        "train", *TINY, "--corpus", str(folder / "names.txt"), "--unit", "lines",
        "--preprocessing", "lower", "--ngram-order", "3", "--max-tokens", "800",
        "--run-dir", str(folder / "run"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    from browser import chromium  # imports playwright

    with chromium() as started:
        yield started
