"""Exposure against the ranks of all codes, one by one, and canaries that are or are not known."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import rnnlab
from rnnlab.config import ComputeSettings, ModelSettings
from rnnlab.data.canaries import Canaries
from rnnlab.data.tokenizer import BpeTokenizer, CharTokenizer, Tokenizer
from rnnlab.errors import DivergenceError, UsageError
from rnnlab.files import read_json
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.exposure import estimate, exposure, nats_of_codes
from rnnlab.runs.evaluation import training_data
from rnnlab.runs.loading import load_text_model

TEXT = "it is a code.\nabcd is the other.\n" * 20


def build(codes: tuple[str, ...], tokenizer: Tokenizer | None = None) -> TextModel:
    """An untrained network with strong opinions."""
    tokenizer = tokenizer or CharTokenizer.train(TEXT, 0)
    settings = ModelSettings(
        cell="gru", hidden_size=8, embedding_size=4, init="normal", init_std=1.0
    )
    model = LanguageModel(settings, tokenizer.size, 1)
    compute = Compute.choose(ComputeSettings(device="cpu"), settings.cell)
    times = tuple(2**n for n in range(len(codes)))
    canaries = Canaries("\n", "the code is ", "abcd", codes, times)
    return TextModel(model, tokenizer, "none", compute, {"canaries": canaries.to_dict()})


def line_nats(model: TextModel, code: str) -> float:
    """-ln p of a line, token by token."""
    ids = torch.from_numpy(model.tokenizer.encode(f"\nthe code is {code}"))
    with torch.no_grad():
        logits, _ = model.model(ids[:-1, None], model.model.zero_state(1), model.compute.engine)
    log_p = logits[:, 0].double().log_softmax(1)
    return -sum(log_p[t, v].item() for t, v in enumerate(ids[1:].tolist()))


def exact(model: TextModel, codes: tuple[str, ...]) -> list[float]:
    """The definition: log2 |R| - log2 rank, by trying every code of the format."""
    tried = [line_nats(model, "".join(c)) for c in itertools.product("abcd", repeat=len(codes[0]))]
    own = [line_nats(model, code) for code in codes]
    ranks = [sum(other < nats + 1e-6 for other in tried) for nats in own]
    return [math.log2(len(tried) / rank) for rank in ranks]


def test_all_codes_of_a_small_format_are_tried() -> None:
    codes = ("abca", "dddd", "ccab")
    model = build(codes)
    found = exposure(model, samples=256)
    assert found.tried == found.possible == 256
    assert found.exposure == pytest.approx(exact(model, codes))
    assert found.bits == pytest.approx([line_nats(model, c) / math.log(2) for c in codes], 1e-5)
    assert found.lines[1] == "the code is dddd"
    assert found.repetitions.tolist() == [1, 2, 4]
    assert found.most == 8


def test_a_sample_of_codes_gives_nearly_the_same() -> None:
    """Codes of every rank: the share of a sample, and the skew normal for the likeliest."""
    everyone = ["".join(code) for code in itertools.product("abcd", repeat=6)]
    model = build(tuple(everyone[:1]))
    canaries = Canaries.from_dict(model.about["canaries"])
    nats = nats_of_codes(model, canaries, everyone)
    order = np.argsort(nats)
    codes = tuple(everyone[order[rank]] for rank in (0, 7, 63, 511, 4095))
    found = exposure(build(codes), samples=1000)
    assert found.tried == 1000 < found.possible == 4096
    np.testing.assert_allclose(found.exposure[2:], [6, 3, 0], atol=0.5)
    assert found.exposure[0] >= found.exposure[1] > 6.4  # at most 10 of 1000 are as likely
    assert found.exposure[0] <= 12


def test_far_beyond_the_sample_the_distribution_is_extended() -> None:
    """A normal distribution is skew normal: its tail is known."""
    tried = np.random.default_rng(0).normal(50, 4, 10_000)
    found = estimate(np.array([50.0, 34.0, 30.0, -400.0]), tried, 10**8)
    expected = [1.0, -math.log2(3.17e-5), -math.log2(2.87e-7), math.log2(10**8)]
    np.testing.assert_allclose(found, expected, rtol=0.12)


def test_lines_of_different_lengths_are_each_read_from_a_state_of_zeros() -> None:
    tokenizer = BpeTokenizer.train(TEXT, 262)
    model = build(("abcd", "dcba", "aaaa"), tokenizer)
    canaries = Canaries.from_dict(model.about["canaries"])
    sizes = {len(tokenizer.encode(f"\nthe code is {code}")) for code in canaries.codes}
    assert len(sizes) > 1
    expected = [line_nats(model, code) for code in canaries.codes]
    np.testing.assert_allclose(nats_of_codes(model, canaries, canaries.codes), expected, 1e-5)


def test_what_the_ngram_model_remembers_counts() -> None:
    codes = ("dbca", "acbd")
    model = build(codes)
    text = TEXT + f"the code is {codes[1]}\n" * 5
    table = NGramTable.count(model.tokenizer.encode(text), model.tokenizer.size, 6)
    model.mixture = NGramMixture(table, np.array([[0.0, 1.0], [0.0, 0.0]]))
    found = exposure(model)
    assert found.found.tolist() == [False, True]
    assert found.exposure[1] == 8
    assert "1 of 2 canaries are remembered" in found.sentences()[0]
    assert found.with_ngram


def test_a_model_that_saw_no_canaries_remembers_none() -> None:
    """Codes drawn after the weights: at most 5% of such models have a find."""
    finds = 0
    for seed in range(40):
        draw = np.random.default_rng(seed).choice(list("abcd"), (5, 4))
        finds += exposure(build(tuple(map("".join, draw)))).found.any()
    assert finds <= 5  # 2 are expected; more than 5 have a probability of 1.4%
    assert "Nothing found beyond the control" in exposure(build(("dabc",))).sentences()[0]


def test_a_run_keeps_its_canaries(text_file: Path, tmp_path: Path) -> None:
    run = rnnlab.train(
        corpus=text_file, run_dir=tmp_path / "run", canaries=3, hidden_size=8, num_epochs=1,
        batch_size=4, num_steps=20, num_evaluations=1, quiet=True, automatic=False, threads=1,
    )  # fmt: skip
    about = read_json(run.directory / "checkpoint" / "last" / "config.json")
    found = exposure(load_text_model(run.directory), samples=300)
    assert [line.removeprefix(about["canaries"]["before"]) for line in found.lines] == about[
        "canaries"
    ]["codes"]
    assert found.repetitions.tolist() == [1, 2, 4]
    data = training_data(run.model)
    assert data.canaries.to_dict()["codes"] == tuple(about["canaries"]["codes"])


def test_what_cannot_be_measured_is_refused() -> None:
    model = build(("abcd",))
    with pytest.raises(UsageError, match="samples must be 100 or above, not 99"):
        exposure(model, samples=99)
    del model.about["canaries"]
    with pytest.raises(UsageError, match="trained without canaries; rnnlab train has --canaries N"):
        exposure(model)


def test_a_network_that_has_diverged_is_refused() -> None:
    model = build(("abcd",))
    with torch.no_grad():
        model.model.recurrent.weight_hh_l0.fill_(math.nan)
    with pytest.raises(DivergenceError):
        exposure(model)
