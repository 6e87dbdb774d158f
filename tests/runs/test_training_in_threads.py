"""Trainings in several threads of one process, and what training leaves of the caller's state."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnlab
from rnnlab.engines import ENGINES
from rnnlab.errors import UnavailableError

TIMES = ("seconds", "elapsed_seconds", "tokens_per_second", "mean_threads", "time")
SMALL: dict[str, Any] = {
    "corpus_limit": 1500, "hidden_size": 12, "embedding_size": 4, "num_layers": 2, "batch_size": 4,
    "num_steps": 10, "num_epochs": 1, "num_evaluations": 2, "sample_length": 20, "threads": 1,
    "learning_rate": 0.01, "input_dropout": 0.1, "dropout": 0.2, "layer_dropout": 0.1,
    "weight_dropout": 0.2,
}  # fmt: skip


def train(text: Path, directory: Path, **settings: Any) -> rnnlab.Run:
    return rnnlab.train(
        automatic=False, corpus=str(text), run_dir=directory, quiet=True, **SMALL | settings
    )


def content(run: rnnlab.Run) -> tuple[str, str, str]:
    """What training has made of the seed: weights, figures, samples."""
    figures = [{k: v for k, v in line.items() if k not in TIMES} for line in run.metrics]
    weights = (run.directory / "checkpoint/last/model.safetensors").read_bytes()
    samples = (run.directory / "samples.txt").read_text(encoding="utf-8")
    return hashlib.sha256(weights).hexdigest(), json.dumps(figures), samples


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("engine", ENGINES)
def test_equal_trainings_in_threads_have_the_bits_of_a_training_alone(
    engine: str, precision: str, text_file: Path, tmp_path: Path
) -> None:
    how = {"engine": engine, "precision": precision}
    try:
        alone = content(train(text_file, tmp_path / "alone", **how))
    except UnavailableError as error:
        pytest.skip(str(error))
    for attempt in range(2):
        with ThreadPoolExecutor(3) as pool:
            folders = [tmp_path / f"{attempt}-{number}" for number in range(3)]
            runs = [pool.submit(train, text_file, folder, **how) for folder in folders]
        assert [content(run.result()) == alone for run in runs] == [True] * 3


def test_a_search_in_two_threads_finds_what_it_finds_in_one(
    text_file: Path, tmp_path: Path
) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rates, engines = [0.003, 0.01], list(ENGINES)

    def values(jobs: int) -> dict[tuple[str, float], float]:
        def objective(trial: optuna.Trial) -> float:
            engine = trial.suggest_categorical("engine", engines)
            rate = trial.suggest_categorical("rate", rates)
            folder = tmp_path / f"{jobs}-{trial.number}"
            run = train(text_file, folder, engine=engine, learning_rate=rate, corpus_limit=1000)
            return float(run.result["evaluations"][0]["nats_per_token"])

        sampler = optuna.samplers.GridSampler({"engine": engines, "rate": rates})
        study = optuna.create_study(sampler=sampler)
        study.optimize(objective, n_jobs=jobs)
        return {(t.params["engine"], t.params["rate"]): t.value for t in study.trials}

    assert values(2) == values(1)


def test_nothing_that_trains_or_reads_changes_the_callers_random_state_or_threads(
    text_file: Path, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    np.random.seed(7)
    torchs, numpys, threads = torch.get_rng_state(), np.random.get_state(), torch.get_num_threads()

    def assert_kept() -> None:
        assert torch.equal(torch.get_rng_state(), torchs)
        assert np.array_equal(np.random.get_state()[1], numpys[1])
        assert torch.get_num_threads() == threads

    for engine in ENGINES:
        directory = tmp_path / engine
        train(text_file, directory, engine=engine, threads=threads + 1)
        assert_kept()
        model = rnnlab.load(directory, engine=engine, threads=threads + 1)
        assert_kept()
        pieces = iter(model.stream("the ", length=5))
        next(pieces)
        assert_kept()
        list(pieces)
        model.generate("the ", length=5, beam_width=2)
        assert_kept()
        rnnlab.evaluate(model, splits=["test"])
        rnnlab.diagnose(directory)
        assert_kept()
    rnnlab.benchmark(hidden_size=(8,), batch_size=(2,), num_steps=4, rounds=1, seconds=0.001)
    assert_kept()
