"""Dynamic evaluation against the equations, written out in float64."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnnlab.engines import ENGINES
from rnnlab.lm import dynamic_evaluation
from rnnlab.lm.compute import Compute
from rnnlab.lm.dynamic_evaluation import EPSILON, Learning, dynamic_nats
from rnnlab.lm.evaluate import target_nats
from rnnlab.lm.ngram_mixture import NETWORK_ALONE, NGramMixture
from rnnlab.lm.ngram_table import NGramTable

V = 7
TEXTBOOK, BUILTIN = Compute(ENGINES["textbook"]), Compute(ENGINES["builtin"])
LEARNING = Learning(rate=0.01, decay=0.02, segment=6)
RNG = np.random.default_rng(4)
TRAIN, TEXT = RNG.zipf(1.5, 200) % V, RNG.zipf(1.5, 45) % V


def by_hand(model, train, text, learning):
    """Krause et al. 2018, section 4, one weight after the other, with bounded steps."""
    model = deepcopy(model).double().eval()
    parameters = list(model.parameters())
    T = learning.segment

    def loss(ids, state):
        logits, state = model(torch.from_numpy(ids[:-1])[:, None], state, TEXTBOOK.engine)
        losses = F.cross_entropy(logits[:, 0], torch.from_numpy(ids[1:]), reduction="none")
        return losses, tuple(tuple(p.detach() for p in layer) for layer in state)

    count = (len(train) - 1) // (2 * T)
    squares = [0.0] * len(parameters)
    for start in np.linspace(0, len(train) - 1 - 2 * T, count, dtype=int):
        _, state = loss(train[start : start + T + 1], model.zero_state(1))
        losses, _ = loss(train[start + T : start + 2 * T + 1], state)
        gradients = torch.autograd.grad(losses.mean(), parameters)
        squares = [s + g**2 / count for s, g in zip(squares, gradients, strict=True)]
    roots = [s.sqrt() for s in squares]
    mean = torch.cat([root.flatten() for root in roots]).mean()
    start_weights = [p.detach().clone() for p in parameters]
    nats, state = [], model.zero_state(1)
    for begin in range(0, len(text) - 1, T):
        losses, state = loss(text[begin : begin + T + 1], state)
        nats += losses.tolist()
        gradients = torch.autograd.grad(losses.mean(), parameters)
        steps = [g / (root + EPSILON) for g, root in zip(gradients, roots, strict=True)]
        rms = torch.cat([step.flatten() for step in steps]).square().mean().sqrt()
        if rms > learning.bound:
            steps = [step * learning.bound / rms for step in steps]
        with torch.no_grad():
            for p, p0, root, step in zip(parameters, start_weights, roots, steps, strict=True):
                back = torch.minimum(root / mean, torch.tensor(1 / learning.decay))
                p += -learning.rate * step + learning.decay * (p0 - p) * back
    return np.array(nats)


@pytest.mark.parametrize("bound", [0.7, 1.2])  # many steps are larger, or some
@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("options", [{}, {"cell": "gru", "input": "one-hot", "num_layers": 2},
                                     {"tie_weights": True, "embedding_size": 8, "dropout": 0.5}],
                         ids=str)  # fmt: skip
def test_nats_are_those_of_the_equations(
    make_model, engine: str, options: dict, bound: float
) -> None:
    if why := ENGINES[engine].fault(options.get("cell", "lstm"), "cpu"):
        pytest.skip(why)
    model = make_model(V, **options)
    before = deepcopy(model.state_dict())
    learning = replace(LEARNING, bound=bound)
    found = dynamic_nats(model, Compute(ENGINES[engine]), TEXT, TRAIN, learning=learning)
    assert found == pytest.approx(by_hand(model, TRAIN, TEXT, learning), rel=1e-3)
    static = target_nats(model, TEXTBOOK, TEXT, "carried")
    assert found[:6] == pytest.approx(static[:6], rel=1e-4)
    assert found[12:] != pytest.approx(static[12:], rel=1e-3)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_model_that_does_not_move_is_static(sharp_model) -> None:
    still = Learning(rate=0.0, decay=0.0)
    found = dynamic_nats(sharp_model, TEXTBOOK, TEXT, TRAIN, learning=still)
    assert found == pytest.approx(target_nats(sharp_model, TEXTBOOK, TEXT, "carried"), rel=1e-5)


def test_a_text_that_repeats_itself_is_learned(make_model, cycle) -> None:
    text = cycle(400)
    found = dynamic_nats(make_model(V), TEXTBOOK, text, TRAIN, learning=LEARNING)
    assert found[-100:].mean() < found[:100].mean() / 2


def test_a_surprise_does_not_ruin_a_model_that_knows_its_text(make_model, cycle) -> None:
    """Its gradients in training are so small that the paper's rule takes a huge step here."""
    model, train = make_model(V), cycle(300)
    ids, optimizer = torch.from_numpy(train)[:, None], torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(150):
        logits, _ = model(ids[:-1], model.zero_state(1), BUILTIN.engine)
        optimizer.zero_grad()
        F.cross_entropy(logits[:, 0], ids[1:, 0]).backward()
        optimizer.step()
    text = cycle(600)
    text[50:53] = (text[50:53] + 3) % V
    static = target_nats(model, BUILTIN, text, "carried").mean()
    found = dynamic_nats(model, BUILTIN, text, train).mean()
    unbounded = dynamic_nats(model, BUILTIN, text, train, learning=Learning(bound=1e9)).mean()
    assert found < static + 0.01 < unbounded


def test_a_mixture_and_documents_are_as_in_static_evaluation(sharp_model) -> None:
    table = NGramTable.count(TRAIN, V, 3)
    mixture = NGramMixture(table, NETWORK_ALONE * 0.6 + 0.2)
    still, documents = Learning(rate=0.0, decay=0.0, segment=5, recount=0), (13, 14, 30)
    found = dynamic_nats(
        sharp_model, TEXTBOOK, TEXT, TRAIN, mixture, learning=still, documents=documents
    )
    expected = target_nats(
        sharp_model, TEXTBOOK, TEXT, "carried", documents=documents, mixture=mixture
    )
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_n_grams_learn_on_from_what_has_been_read(sharp_model) -> None:
    mixture = NGramMixture(NGramTable.count(TRAIN, V, 3), NETWORK_ALONE * 0.6 + 0.2)
    still = Learning(rate=0.0, decay=0.0, segment=5, recount=10)
    found = dynamic_nats(sharp_model, TEXTBOOK, TEXT, TRAIN, mixture, learning=still)
    for begin in range(0, len(TEXT) - 1, 10):
        known = np.concatenate([TRAIN, TEXT[:begin]]) if begin else TRAIN
        own = NGramMixture(NGramTable.count(known, V, 3), mixture.gate)
        expected = target_nats(sharp_model, TEXTBOOK, TEXT, "carried", mixture=own)
        part = slice(begin, begin + 10)
        assert found[part] == pytest.approx(expected[part], rel=1e-4)


@pytest.mark.parametrize("length", [2, 3, 30])
def test_a_training_text_of_a_few_tokens_is_enough(sharp_model, length: int) -> None:
    found = dynamic_nats(sharp_model, TEXTBOOK, TEXT, TRAIN[:length])
    assert np.isfinite(found).all()


def test_progress_ends_at_the_whole(sharp_model) -> None:
    seen: list[float] = []
    dynamic_nats(sharp_model, TEXTBOOK, TEXT, TRAIN, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) == -(-(len(TEXT) - 1) // dynamic_evaluation.SEGMENT)
