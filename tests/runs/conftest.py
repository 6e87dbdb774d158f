"""Runs to resume: a small one, and one that was stopped."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from interrupted import ended_well, start

from rnnlab.config import Settings
from rnnlab.files import read_json
from rnnlab.runs.files import read_metrics


@pytest.fixture(scope="module")
def small(text_file: Path) -> Settings:
    """A run that takes a second and saves a state after every step."""
    return Settings().with_changes(
        corpus=str(text_file), hidden_size=12, embedding_size=4, batch_size=4, num_steps=10,
        corpus_limit=2500, num_epochs=2, num_evaluations=5, num_log_lines=7, sample_length=20,
        dropout=0.2, threads=1, checkpoint_seconds=0,
    )  # fmt: skip


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """A run that Ctrl-C ended early."""
    return shutil.copytree(stopped_once, tmp_path / "stopped")


@pytest.fixture(scope="module")
def stopped_once(small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "stopped"
    process = start(small.with_changes(num_epochs=2000, num_log_lines=2000), directory)
    while len(read_metrics(directory)) < 3:
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    assert ended_well(process)
    assert read_json(directory / "result.json")["training"]["stopped_by"] == "SIGINT"
    return directory
