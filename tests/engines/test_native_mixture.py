"""A native reader with an n-gram model against the fallback's, which mixes in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from native_oracle import NATIVE, TEXTBOOK, build, needs_kernels

from rnnlab.config import GenerationSettings
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import target_nats
from rnnlab.lm.fallback import FallbackReader
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.sampling import log_softmax

pytestmark = [needs_kernels, pytest.mark.usefixtures("one_thread")]

MODELS = [
    (7, 3, {}),
    (60, 6, {"num_layers": 2, "hidden_size": 33, "embedding_size": 17}),
    (300, 4, {"cell": "gru", "hidden_size": 20}),
    (28, 1, {"cell": "rnn", "tie_weights": True, "hidden_size": 13, "embedding_size": 13}),
    (2, 10, {"cell": "rnn-relu", "input": "one-hot"}),
]
each_model = pytest.mark.parametrize(("V", "order", "options"), MODELS, ids=str)


def text(V: int, length: int, seed: int) -> np.ndarray:
    """Ids in which pairs and triples return."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(0, V, rng.integers(1, 6)) for _ in range(40)]
    return np.concatenate([words[i % 40] for i in rng.zipf(1.3, length)])[:length].astype(np.int64)


def made_up_mixture(V: int, order: int) -> NGramMixture:
    table = NGramTable.count(text(V, 3000, seed=1), V, order)
    return NGramMixture(table, np.array([[0.6, 0.7], [0.05, -0.08]]))


@each_model
@pytest.mark.parametrize("context", ["carried", "windows:20", "windows:7"])
def test_nats_are_those_of_the_reference(level, V, order, options, context) -> None:
    model, mixture, ids = build(V, **options), made_up_mixture(V, order), text(V, 401, seed=3)
    torch.set_num_threads(2)
    exact = target_nats(model, Compute(TEXTBOOK), ids, context, mixture=mixture)
    found = target_nats(model, Compute(NATIVE), ids, context, mixture=mixture)
    assert found == pytest.approx(exact, rel=1e-4, abs=1e-4)
    alone = target_nats(model, Compute(NATIVE), ids, context)
    assert found != pytest.approx(alone, rel=1e-2)


@pytest.mark.parametrize("context", ["carried", "windows:20"])
def test_nats_of_samples_are_those_of_the_reference(level, context) -> None:
    """No n-gram reaches across a start, and the start itself is predicted from what is before."""
    model, ids, start = build(28), text(28, 401, seed=3), 2
    assert (ids == start).sum() > 5
    table = NGramTable.count(text(28, 3000, seed=1), 28, 5, start)
    mixture = NGramMixture(table, np.array([[0.6, 0.7], [0.05, -0.08]]))
    model.start = start
    exact = target_nats(model, Compute(TEXTBOOK), ids, context, mixture=mixture)
    found = target_nats(model, Compute(NATIVE), ids, context, mixture=mixture)
    assert found == pytest.approx(exact, rel=1e-4, abs=1e-4)


@each_model
def test_texts_are_those_of_the_reference(V, order, options) -> None:
    model, mixture = build(V, **options), made_up_mixture(V, order)
    prefixes = [text(V, 9, seed=4), text(V, 3, seed=5)]
    for settings in ({"temperature": 0}, {"seed": 6}, {"top_k": 2}, {"top_p": 0.8}):
        wanted = GenerationSettings(length=60, **settings)
        exact, found = (
            list(generate_ids(model, Compute(engine), prefixes, wanted, mixture=mixture))
            for engine in (TEXTBOOK, NATIVE)
        )
        assert found == exact, settings


def test_a_reader_reads_pieces_and_begins_anew(level) -> None:
    model, mixture, ids = build(60), made_up_mixture(60, 5), text(60, 121, seed=3)
    inputs, targets = ids[:-1].reshape(2, 60).T.copy(), ids[1:].reshape(2, 60).T.copy()
    network = model.network()._replace(mixture=mixture.arrays)
    reader = NATIVE.reader(network, 2, 60, "float32")
    whole = reader.score(inputs, targets)
    for _ in range(2):
        reader.reset()
        parts = [reader.score(inputs[a:b], targets[a:b]) for a, b in ((0, 1), (1, 30), (30, 60))]
        assert np.concatenate(parts) == pytest.approx(whole, rel=1e-6)


def test_infinite_logits_are_not_hidden() -> None:
    model, mixture = build(7), made_up_mixture(7, 3)
    with torch.no_grad():
        model.output.bias[2] = float("nan")
    assert np.isnan(
        target_nats(model, Compute(NATIVE), np.arange(20) % 7, "carried", mixture=mixture)
    ).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o: o._replace(starts=o.starts[:-1]), r"starts must be \(8,\), not \(7,\)"),
        (lambda o: o._replace(starts=o.starts[::-1].copy()), "the n-grams are damaged"),
        (lambda o: o._replace(symbols=o.symbols + 7), "the n-grams are damaged"),
        (lambda o: o._replace(counts=o.counts * 0), "the n-grams are damaged"),
    ],
)
def test_tables_that_would_be_read_beyond_their_ends_are_refused(change, message) -> None:
    mixture = made_up_mixture(7, 2).arrays
    first, second = mixture.orders
    changed = replace(mixture, orders=(first, change(second)))
    with pytest.raises(ValueError, match=message):
        NATIVE.reader(build(7).network()._replace(mixture=changed), 1, 1, "float32")


@each_model
def test_a_reader_predicts_and_goes_on_from_a_state(level, V, order, options) -> None:
    model, mixture, ids = build(V, **options), made_up_mixture(V, order), text(V, 41, seed=3)
    exact = FallbackReader(model, Compute(TEXTBOOK), 1, mixture)
    reader = NATIVE.reader(model.network()._replace(mixture=mixture.arrays), 1, 41, "float32")
    wanted, found = (log_softmax(own.predict(ids[:, None])[:, 0]) for own in (exact, reader))
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    for own in (exact, reader):
        own.reset()
        own.predict(ids[:20, None])
        state = own.state()
        first = [own.predict(ids[20:40, None]).tolist(), own.state()]
        own.predict(ids[:7, None])
        own.restore(state)
        assert [own.predict(ids[20:40, None]).tolist(), own.state()] == first
        with pytest.raises(ValueError, match=r"^the state has "):
            own.restore(state[1:])


def test_contexts_that_are_not_of_the_mixture_are_refused() -> None:
    model, mixture = build(7), made_up_mixture(7, 3)
    reader = NATIVE.reader(model.network()._replace(mixture=mixture.arrays), 1, 4, "float32")
    state = reader.state()
    for damaged in (10**6).to_bytes(4, "little"), (-2).to_bytes(4, "little", signed=True):
        with pytest.raises(ValueError, match=r"^contexts must be those of the mixture$"):
            reader.restore(state[:-4] + damaged)
