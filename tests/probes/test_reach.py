"""Reach against torch's own layers in float64, a plain loop over windows, and planted networks."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from rnnlab.config import ComputeSettings, ModelSettings
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.errors import CorpusError, DivergenceError, UsageError
from rnnlab.lm.activations import WARM_UP
from rnnlab.lm.compute import Compute
from rnnlab.lm.gradient_flow import input_gradient_norms
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_mixture import NETWORK_ALONE, NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.text_model import TextModel
from rnnlab.probes import reach as probe
from rnnlab.probes.reach import compare_reach, context_nats, reach, spread_targets
from rnnlab.probes.reading import Reading

ALPHABET = "abcde"
TEXT = "".join(np.random.default_rng(1).choice(list(ALPHABET), 700))
OURS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def build(seed: int = 3, start: int | None = None, **settings: object) -> TextModel:
    tokenizer = CharTokenizer.train(ALPHABET, 0)
    sizes = ModelSettings(**{"hidden_size": 6, "embedding_size": 4} | settings)
    model = LanguageModel(sizes, tokenizer.size, seed, start)
    compute = Compute.choose(ComputeSettings(device="cpu"), sizes.cell)
    return TextModel(model, tokenizer, "none", compute, {"data": {"num_steps": 35}})


def by_torch(model: LanguageModel, ids: np.ndarray, lag: int) -> float:
    """||d ln p(last) / d e|| of the vector `lag` before the last, through torch's own layers."""
    settings, V = model.settings, model.vocabulary_size
    one_hot = settings.input == "one-hot"
    width = V if one_hot else settings.embedding_size
    layers = OURS[settings.cell](width, settings.hidden_size, settings.num_layers).double()
    layers.load_state_dict(model.recurrent.state_dict())
    tokens = torch.from_numpy(ids[:-1])
    if one_hot:
        vectors = F.one_hot(tokens, V).double()
    else:
        vectors = model.embedding.weight.detach().double()[tokens]
    here = vectors[-lag].clone().requires_grad_()
    rows = list(vectors)
    rows[-lag] = here
    out, _ = layers(torch.stack(rows)[:, None])
    weight, bias = (p.detach().double() for p in (model.output.weight, model.output.bias))
    (gradient,) = torch.autograd.grad(
        F.linear(out[-1, 0], weight, bias).log_softmax(0)[ids[-1]], here
    )
    return gradient.norm().item()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("settings", [{"input": "one-hot"}, {"num_layers": 2, "dropout": 0.5}])
def test_the_gradient_is_that_of_torchs_layers_at_every_lag(cell: str, settings: dict) -> None:
    model, lags = build(cell=cell, **settings), 7
    ids = model.tokenizer.encode(TEXT)[: WARM_UP + lags + 4]  # four stretches, one token apart
    found = input_gradient_norms(model.model, ids, lags)
    expected = [
        [by_torch(model.model, ids[b : b + WARM_UP + lags + 1], lag) for lag in range(1, lags + 1)]
        for b in range(4)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_context_is_that_of_a_plain_loop(cell: str) -> None:
    model = build(cell=cell)
    reading, contexts = Reading.of(model, TEXT), (1, 2, 7, 33)
    targets = spread_targets(len(reading), 33)[::6, ::9]
    full, excess = context_nats(reading, contexts, targets)

    def nats(begin: int, target: int) -> float:
        seen = torch.from_numpy(reading.ids[begin:target])[:, None]
        with torch.no_grad():
            logits, _ = model.model(seen, model.model.zero_state(1), model.compute.engine)
        return -logits[-1, 0].double().log_softmax(0)[reading.ids[target]].item()

    for place in np.ndindex(targets.shape):
        target = int(targets[place])
        assert full[place] == pytest.approx(nats(0, target), abs=1e-5)
        for k, each in zip(contexts, excess, strict=True):
            expected = nats(target - k, target) - nats(0, target)
            assert each[place] == pytest.approx(expected, abs=1e-5)


def test_the_interval_is_students_for_blocks_of_equal_width() -> None:
    bits = np.random.default_rng(0).normal(0.3, 1, (20, 9))
    mean, low, high = probe.per_character(bits, np.ones((20, 9), int))
    blocks = bits.mean(1)
    expected = stats.t.interval(0.95, 19, blocks.mean(), stats.sem(blocks))
    assert (mean, low, high) == pytest.approx((blocks.mean(), *expected))


def test_targets_are_spread_and_have_their_context() -> None:
    targets = spread_targets(5000, 200)
    assert targets.shape == (20, 100)
    assert targets[0, 0] == 200
    assert targets[-1, -1] == 4999
    assert len(np.unique(targets)) == targets.size


def copier(lag: int) -> TextModel:
    """A network that expects the character `lag` before: a shift register in one-hot units."""
    V = CharTokenizer.train(ALPHABET, 0).size
    model = build(cell="rnn-relu", input="one-hot", hidden_size=V * lag)
    with torch.no_grad():
        for parameter in model.model.parameters():
            parameter.zero_()
        model.model.recurrent.weight_ih_l0[:V] = torch.eye(V)
        model.model.recurrent.weight_hh_l0[V:, :-V] = torch.eye(V * (lag - 1))
        model.model.output.weight[:, -V:] = 20 * torch.eye(V)
    return model


@pytest.mark.parametrize("lag", [3, 8])
def test_a_network_that_looks_one_lag_back_is_found_out(lag: int) -> None:
    text = TEXT[:lag] * 150
    found = reach(Reading.of(copier(lag), text), lags=12, contexts=range(1, 13))
    assert np.flatnonzero(found.gradient).tolist() == [lag - 1]
    assert found.context_reach == lag
    assert (found.low[: lag - 1] > 1).all()
    assert found.excess[lag - 1 :] == pytest.approx(np.zeros(13 - lag), abs=1e-6)
    assert f"The network uses at most the last {lag} characters" in found.sentences()[1]


def test_an_untrained_network_finds_nothing_beyond_itself() -> None:
    found = reach(Reading.of(build(seed=5), TEXT), lags=20, seed=5)
    np.testing.assert_array_equal(found.gradient, found.untrained_gradient)
    assert "Gradient: nothing found beyond the control" in found.sentences()[0]
    assert found.num_steps == 35
    assert "flowed back 35 characters" in found.sentences()[0]
    assert (
        reach(Reading.of(build(seed=5), TEXT), lags=20).untrained_gradient != found.gradient
    ).all()


def test_an_ngram_model_changes_nothing_but_the_sentences() -> None:
    model = build()
    alone = reach(Reading.of(model, TEXT), lags=5)
    ids = model.tokenizer.encode(TEXT)
    table = NGramTable.count(ids, model.tokenizer.size, 3)
    model.mixture = NGramMixture(table, NETWORK_ALONE / 2 + 0.5)
    joined = reach(Reading.of(model, TEXT), lags=5)
    np.testing.assert_array_equal(alone.excess, joined.excess)
    assert joined.sentences()[:2] == alone.sentences()
    assert joined.sentences()[2].startswith("The network is measured alone")


def test_contexts_that_the_text_has_no_room_for_are_left_out() -> None:
    shares = []
    found = reach(Reading.of(build(), TEXT[:151]), lags=100, progress=shares.append)
    assert found.contexts.tolist() == [1, 2, 5, 10, 20, 50]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert found.to_dict()["gradient"]["axes"] == ["lag"]
    reading = Reading.of(build(), TEXT[:151])
    full, _ = context_nats(reading, [1], spread_targets(151, 50))
    assert found.bits_per_character == pytest.approx(full.mean() / math.log(2))


def test_several_models_are_measured_on_one_text() -> None:
    readings = {cell: Reading.of(build(cell=cell), TEXT) for cell in ("rnn", "gru", "lstm")}
    found = compare_reach(readings, lags=10, seeds={"gru": 3})
    assert [each.cell for each in found.values()] == ["rnn", "gru", "lstm"]
    one = reach(readings["gru"], lags=10, seed=3)
    np.testing.assert_array_equal(found["gru"].excess, one.excess)
    np.testing.assert_array_equal(found["gru"].untrained_gradient, one.gradient)


@pytest.mark.parametrize(
    ("text", "settings", "rule"),
    [
        (TEXT[:120], {}, "120 tokens is too short to follow the gradient; it needs 151"),
        (TEXT[:60], {}, "60 tokens is too short to measure a context of 1; it needs 101"),
        (TEXT, {"lags": 0}, "lags must be 1 or above, not 0"),
        (TEXT, {"contexts": (5, 0)}, "contexts must be 1 or above, not 5, 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(text: str, settings: dict, rule: str) -> None:
    kind = CorpusError if "too short" in rule else UsageError
    with pytest.raises(kind, match=rule):
        reach(Reading.of(build(), text), **settings)


def test_models_of_samples_and_different_texts_are_refused() -> None:
    with pytest.raises(UsageError, match="needs a model of running text"):
        reach(Reading.of(build(start=1), "ab\ncd", is_prepared=True))
    with pytest.raises(UsageError, match="a and b read different texts"):
        compare_reach({"a": Reading.of(build(), TEXT), "b": Reading.of(build(), TEXT[1:])})
    with pytest.raises(UsageError, match="needs a model"):
        compare_reach({})


def test_a_network_that_has_diverged_is_refused() -> None:
    model = build()
    with torch.no_grad():
        model.model.recurrent.weight_hh_l0.fill_(math.nan)
    with pytest.raises(DivergenceError):
        reach(Reading.of(model, TEXT), lags=5)
