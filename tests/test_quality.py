"""The opponents of benchmarks/quality.py compute what they say, and every target is scored once."""

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.bench.d2l_lstm import D2lLSTM
from rnnlab.data.batches import SequentialBatches

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from quality_opponents import (
    MinGRU,
    Network,
    Size,
    TorchLSTM,
    Transformer,
    d2l_as_torch,
    min_gru,
)
from quality_records import Records
from quality_report import report
from quality_scoring import sliding_windows, target_nats
from quality_training import SIZES, detached, for_budget, make_learner, stream, train

V = 7
SMALL = Size(layers=2, width=8, steps=8, batch=2, rate=0.01, heads=2)
IDS = np.random.default_rng(0).integers(0, V, 61)


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def networks() -> dict[str, Network]:
    torch.manual_seed(0)
    made = {"lstm": TorchLSTM(V, 4, 8), "minGRU": MinGRU(V, SMALL), "t": Transformer(V, SMALL)}
    return {name: network.eval() for name, network in made.items()}


# minGRU.


def in_a_loop(gate: Tensor, candidate: Tensor, h: Tensor) -> Tensor:
    """The recurrence as the paper writes it."""
    found = []
    for k, x in zip(gate, candidate, strict=True):
        z = torch.sigmoid(k)
        h = (1 - z) * h + z * torch.where(x >= 0, x + 0.5, torch.sigmoid(x))
        found.append(h)
    return torch.stack(found)


def min_gru_in_log_space(gate: Tensor, candidate: Tensor, before: Tensor | None = None) -> Tensor:
    """Return the same as `min_gru` by the paper's parallel scan.

    ln h_t = A_t + ln Σ_{s <= t} exp(ln b_s - A_s), where A_t = Σ_{s <= t} ln (1 - z_s) and
    b_s = z_s g(candidate_s).
    """
    log_keep, log_z = -F.softplus(gate), -F.softplus(-gate)
    log_g = torch.where(candidate >= 0, (F.relu(candidate) + 0.5).log(), -F.softplus(-candidate))
    log_b = log_z + log_g
    if before is not None:  # h_0 counts as a part of b_1
        first = torch.logaddexp(log_b[0], log_keep[0] + before.log())
        log_b = torch.cat([first[None], log_b[1:]])
    kept = log_keep.cumsum(0)
    return (kept + torch.logcumsumexp(log_b - kept, dim=0)).exp()


@pytest.mark.parametrize("scan", [min_gru, min_gru_in_log_space])
def test_both_scans_are_the_recurrence(scan: Any) -> None:
    gate, candidate, h = 3 * some(50, 2, 4), some(50, 2, 4).flip(0), some(2, 4).abs()
    torch.testing.assert_close(scan(gate, candidate, h), in_a_loop(gate, candidate, h))
    zeros = torch.zeros_like(h)
    torch.testing.assert_close(scan(gate, candidate), in_a_loop(gate, candidate, zeros))


def test_gradient_of_the_recurrence() -> None:
    gate, candidate = some(5, 2, 3).requires_grad_(), some(5, 2, 3).flip(0).requires_grad_()
    assert torch.autograd.gradcheck(min_gru, (gate, candidate, some(2, 3).abs()))


# Networks.


@pytest.mark.parametrize("name", ["lstm", "minGRU"])
def test_a_text_can_be_read_in_pieces(name: str) -> None:
    network, ids = networks()[name], torch.from_numpy(IDS.reshape(-1, 1))
    whole, _ = network(ids)
    first, state = network(ids[:2])
    second, _ = network(ids[2:], detached(state))
    torch.testing.assert_close(torch.cat([first, second]), whole)


@pytest.mark.parametrize("name", ["lstm", "minGRU", "t"])
def test_no_network_sees_what_comes(name: str) -> None:
    network, ids = networks()[name], torch.from_numpy(IDS[:16].reshape(8, 2))
    changed = ids.clone()
    changed[5:] = (ids[5:] + 1) % V
    torch.testing.assert_close(network(ids)[0][:5], network(changed)[0][:5])


def test_d2l_as_torch_is_the_same_function() -> None:
    model, ids = D2lLSTM(V, 6, std=0.5), torch.from_numpy(IDS[:20].reshape(10, 2))
    expected, _ = model(ids, model.zero_state(2))
    torch.testing.assert_close(d2l_as_torch(model)(ids)[0].flatten(0, 1), expected)


# Scoring.


@pytest.mark.parametrize(("length", "block"), [(5, 8), (8, 8), (9, 8), (50, 8), (51, 8), (7, 1)])
def test_sliding_windows_cover_each_target_once(length: int, block: int) -> None:
    starts, firsts = sliding_windows(length, block)
    size = min(block, length)
    covered = [t for s, f in zip(starts, firsts, strict=True) for t in range(f, s + size)]
    assert covered == list(range(length))
    assert all(starts >= 0)
    assert all(firsts[1:] - starts[1:] >= 0.75 * block - 1)


def test_a_transformer_is_scored_on_what_its_windows_see() -> None:
    network = networks()["t"]
    nats = target_nats(network, IDS, "windows:20")
    starts, firsts = sliding_windows(20, SMALL.steps)
    for window in range(0, 60, 20):
        for start, first in zip(starts + window, firsts + window, strict=True):
            ids = torch.from_numpy(IDS[start : start + SMALL.steps, None])
            logp = network(ids)[0].log_softmax(-1)[:, 0].detach().numpy()
            own = range(first, start + SMALL.steps)
            expected = [-logp[t - start, IDS[t + 1]] for t in own]
            np.testing.assert_allclose(nats[own], expected, rtol=1e-4)


def test_scores_of_a_recurrent_network(monkeypatch: pytest.MonkeyPatch) -> None:
    network = networks()["lstm"]
    whole = target_nats(network, IDS, "carried")
    np.testing.assert_allclose(target_nats(network, IDS, "windows:60"), whole, rtol=1e-5)
    cut = target_nats(network, IDS, "windows:25")  # the last window has 10 targets
    for start in (0, 25, 50):
        own = target_nats(network, IDS[start : start + 26], "carried")
        np.testing.assert_allclose(cut[start : start + 25], own, rtol=1e-5)
    monkeypatch.setattr("quality_scoring.CHUNK_STEPS", 7)
    monkeypatch.setattr("quality_scoring.CHUNK_COLUMNS", 1)
    np.testing.assert_allclose(target_nats(network, IDS, "carried"), whole, rtol=1e-5)
    np.testing.assert_allclose(target_nats(network, IDS, "windows:25"), cut, rtol=1e-5)


# Training.


@pytest.mark.parametrize("name", ["d2l", "nn.LSTM", "transformer", "minGRU"])
def test_each_opponent_learns_and_the_seed_decides(name: str) -> None:
    ids = np.tile(np.arange(V), 400)
    size = SMALL if name in SIZES else None

    def trained(seed: int) -> Network:
        learner = make_learner(name, ids, V, seed, size, "float32")
        for step in range(12):
            learner.step(0.1 + step / 20)
        return learner.trained()

    one, again, other = (target_nats(trained(s), ids[:200], "carried").mean() for s in (1, 1, 2))
    assert one == again != other
    assert one < np.log(V) - (0.0 if name == "d2l" else 0.01)  # d2l's weights begin at almost 0


def test_training_ends_with_the_budget() -> None:
    trained = train("transformer", np.tile(IDS, 5), V, 0.05, 0, SMALL)
    assert 0.05 <= trained.about["seconds"] < 5
    assert trained.about["tokens"] == trained.about["steps"] * SMALL.batch * SMALL.steps


def test_the_state_is_carried_within_an_epoch() -> None:
    batches = SequentialBatches(IDS, 2, 8)
    count = batches.epoch(np.random.default_rng(0))[0]
    found = stream(batches, 0)
    assert [next(found)[2] for _ in range(count + 1)] == [False, *[True] * (count - 1), False]


@pytest.mark.parametrize("name", SIZES)
def test_there_is_a_size_for_every_budget(name: str) -> None:
    assert {for_budget(SIZES[name], s) for s in (1, 10, 30, 60, 180, 1e6)} <= set(
        SIZES[name].values()
    )


# Records and report.


def made_up(contender: str, seconds: float | None, seed: int | None, bits: float) -> dict[str, Any]:
    score = {"bits_per_character": bits, "nats_per_character": bits, "nats_per_token": bits}
    about = {"tokens": 10, "seconds": 1, "seconds_before": 0, "epochs": 1, "parameters": 5}
    return {
        "contender": contender, "seconds": seconds, "seed": seed, "corpus": "c",
        "contexts": {"carried": score}, "about": about, "speed": 1e5, "factor": 1.5,
        "reference_speed": 157e3, "parts": {"network": {"carried": score}} if seed == 0 else {},
        "machine": {"threads": 2, "cpu": "x", "instruction_set": "avx2", "torch": "2"},
    }  # fmt: skip


def test_records_are_kept_and_reported(tmp_path: Path) -> None:
    file, key = tmp_path / "quality.jsonl", ("contender", "seconds", "seed", "corpus")
    records = Records(file, key)
    for seed, bits in enumerate([2.0, 2.2]):
        records.add(made_up("rnnlab", 10.0, seed, bits))
        records.add(made_up("rnnlab", 30.0, seed, bits - 0.5))
    records.add(made_up("xz", None, None, 2.6))
    again = Records(file, key)
    assert made_up("rnnlab", 10.0, 1, 0) in again
    assert made_up("rnnlab", 10.0, 2, 0) not in again
    assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == again.all
    text = report(tmp_path, "c")
    assert "| rnnlab | 2.100 ± 1.271 | 1.600 ± 1.271 |" in text
    assert "| xz | 2.600 | 2.600 |" in text
    assert "multiplied by 1.5" in text
    ElementTree.parse(tmp_path / "quality.svg")
