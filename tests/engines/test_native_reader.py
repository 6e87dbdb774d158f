"""Scoring and writing on the compiled kernels against the textbook."""

from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from native_oracle import (
    NATIVE,
    TEXTBOOK,
    batch_of,
    build,
    each_cell,
    needs_kernels,
)

from rnnlab.config import GenerationSettings
from rnnlab.lm import evaluate
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import target_nats, total_nats
from rnnlab.lm.generate import generate_ids

pytestmark = [needs_kernels, pytest.mark.usefixtures("one_thread")]


READERS = [
    (7, {}),
    (60, {"num_layers": 2, "hidden_size": 33, "embedding_size": 17}),
    (300, {"cell": "gru", "hidden_size": 20}),
    (7, {"cell": "gru", "input": "one-hot", "num_layers": 2}),
    (28, {"cell": "rnn", "tie_weights": True, "hidden_size": 13, "embedding_size": 13}),
    (2, {"cell": "rnn-relu", "input": "one-hot"}),
    (1, {"cell": "rnn-relu"}),
]
each_reader = pytest.mark.parametrize(("V", "options"), READERS, ids=str)


def sharp(V, options, seed=0):
    model = build(V, seed=seed, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        model.output.weight.mul_(3)
    return model


@cache  # by model: each level of the kernels is compared with the same figures
def sharp_nats(V, options, window):
    return exact_nats(sharp(V, dict(options)), batch_of(V, (151,))[0], window)


def exact_nats(model, ids, window):
    model = deepcopy(model).double().eval()
    nats = []
    with torch.no_grad():
        for start in range(0, len(ids) - 1, window):
            piece = torch.from_numpy(ids[start : start + window + 1])[:, None]
            logits, _ = model(piece[:-1], model.zero_state(1), TEXTBOOK)
            nats += F.cross_entropy(logits.flatten(0, 1), piece[1:, 0], reduction="none").tolist()
    return np.array(nats)


@each_reader
@pytest.mark.parametrize("context", ["carried", "windows:20", "windows:7", "windows:1"])
def test_nats_of_a_text_equal_the_textbooks(level, V, options, context):
    model, ids = sharp(V, options), batch_of(V, (151,))[0]
    torch.set_num_threads(2)
    nats = target_nats(model, Compute(NATIVE), ids, context)
    window = 150 if context == "carried" else int(context[8:])
    exact = sharp_nats(V, tuple(options.items()), window)
    assert nats == pytest.approx(exact, rel=1e-4, abs=1e-5)
    assert nats.sum() == pytest.approx(exact.sum(), rel=1e-6, abs=1e-6)


@each_reader
@pytest.mark.parametrize("chunk", [1, 2, 13, 64])
def test_pieces_of_any_size_give_the_same_nats(level, monkeypatch, V, options, chunk):
    model, ids = sharp(V, options), batch_of(V, (151,))[0]
    whole = total_nats(model, Compute(NATIVE), ids, "carried")
    monkeypatch.setattr(evaluate, "CHUNK_TOKENS", chunk)
    assert total_nats(model, Compute(NATIVE), ids, "carried") == pytest.approx(
        whole, rel=1e-6, abs=1e-6
    )


@each_cell
def test_bfloat16_reader_is_near_the_textbook(level, cell):
    model, ids = build(60, cell=cell, hidden_size=64, num_layers=2), batch_of(60, (301,))[0]
    for context in ("carried", "windows:7"):
        exact = exact_nats(model, ids, 300 if context == "carried" else 7).sum()
        found = total_nats(model, Compute(NATIVE, precision="bfloat16"), ids, context)
        assert found != exact
        assert found == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("input_", ["one-hot", "embedding"])
@pytest.mark.parametrize("steps", [1, 40])
def test_a_reader_keeps_the_weights_it_was_made_with(input_, steps):
    model = build(30, input=input_, num_layers=2)  # 2 steps: no table; 80 tokens: a table
    inputs, targets = batch_of(30, (steps, 2))
    reader = NATIVE.reader(model.network(), 2, steps, "float32")
    before = reader.score(inputs, targets).tolist()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    reader.reset()
    assert reader.score(inputs, targets).tolist() == before
    fresh = NATIVE.reader(model.network(), 2, steps, "float32")
    assert fresh.score(inputs, targets).tolist() != before


@each_reader
def test_a_reader_predicts_as_the_textbook(level, V, options):
    model, ids = sharp(V, options), batch_of(V, (23, 2))[0]
    torch.set_num_threads(2)
    logits = deepcopy(model).double()(torch.from_numpy(ids), model.double().zero_state(2), TEXTBOOK)
    found = NATIVE.reader(model.float().network(), 2, 23, "float32").predict(ids)
    assert found == pytest.approx(logits[0].detach().numpy(), rel=1e-4, abs=1e-4)


@each_cell
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_reader_goes_on_from_a_state_to_the_same_bits(level, cell, precision):
    model, ids = sharp(30, {"cell": cell, "num_layers": 2}), batch_of(30, (40, 2))[0]
    reader, other = (NATIVE.reader(model.network(), 2, 40, precision) for _ in range(2))
    reader.predict(ids[:25])
    state, wanted = reader.state(), reader.predict(ids[25:])
    after = reader.state()
    assert after != state
    for again in (reader, other):
        again.restore(state)
        assert again.state() == state
        found = [again.predict(ids[t : t + 1]) for t in range(25, 40)]
        assert np.concatenate(found).tolist() == wanted.tolist()
        assert again.state() == after
    with pytest.raises(ValueError, match=f"^the state has {len(state)} bytes, not 3$"):
        reader.restore(b"abc")


@pytest.mark.parametrize("shape", [(5, 3), (4, 2)])
def test_a_reader_refuses_pieces_that_it_has_no_room_for(shape):
    model = build(7)
    reader = NATIVE.reader(model.network(), 3, 4, "float32")
    found = rf"not \({shape[0]}, {shape[1]}\)$"
    with pytest.raises(ValueError, match=rf"^ids must be 1 to 4 steps of 3 sequences, {found}"):
        reader.score(*batch_of(7, shape))
    choice = {"temperature": 0, "top_k": 0, "top_p": 1.0, "forbidden": -1}
    ids = np.zeros((shape[0] + 1, shape[1]), np.int64)
    with pytest.raises(
        ValueError, match=r"^ids must be 1 to 4 steps and a last row of 3 sequences"
    ):
        reader.write(ids, ids == 0, ids * 0.5, **choice)
    with pytest.raises(TypeError, match=r"ids: ndarray\[dtype=int64, order='C', device='cpu'\]"):
        reader.write(np.zeros((3, 3), np.int32), ids == 0, ids * 0.5, **choice)
    with pytest.raises(ValueError, match=rf"^known must be \(3, 3\), not \({shape[0] + 1}, "):
        reader.write(np.zeros((3, 3), np.int64), ids == 0, ids * 0.5, **choice)


PREFIXES = [np.array(ids) for ids in ([3, 1, 4, 1, 5], [2], [0, 6, 0], [6, 5])]
CHOICES = [
    {"temperature": 0},
    {"temperature": 1.0, "seed": 1},
    {"temperature": 0.4, "seed": 2},
    {"temperature": 2.5, "seed": 3},
    {"temperature": 1.5, "top_k": 3},
    {"temperature": 1.5, "top_k": 1},
    {"temperature": 1.5, "top_p": 0.7},
    {"temperature": 1.2, "top_p": 1e-9},
    {"temperature": 1.7, "top_k": 5, "top_p": 0.8, "seed": 4},
]


def texts(model, engine, forbidden=None, prefixes=PREFIXES, **options):
    wanted = GenerationSettings(**{"length": 40} | options)
    return list(generate_ids(model, Compute(engine), prefixes, wanted, forbidden))


@cache
def exact_texts(options, choice):
    """A token that the textbook writes, its texts, and its texts if that token is forbidden."""
    model, choice = sharp(11, dict(options)).double(), dict(choice)
    wanted = texts(model, TEXTBOOK, **choice)
    likely = next(token for token in wanted[6] if token is not None)
    return likely, wanted, texts(model, TEXTBOOK, likely, **choice)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 2},
        {"cell": "gru", "input": "one-hot"},
        {"cell": "rnn", "hidden_size": 40},
        {"cell": "rnn-relu", "init": "orthogonal"},
    ],
    ids=str,
)
def test_tokens_written_are_the_textbooks(level, options, choice):
    model = sharp(11, options)
    torch.set_num_threads(2)
    likely, wanted, without_likely = exact_texts(tuple(options.items()), tuple(choice.items()))
    assert texts(model, NATIVE, **choice) == wanted
    found = texts(model, NATIVE, likely, **choice)
    assert found == without_likely
    assert all(likely not in row for row in found)


def test_one_long_text_of_a_large_vocabulary_is_the_textbooks(level):
    """Longer than the longest piece, so that several calls carry it on."""
    model = sharp(300, {"num_layers": 2, "hidden_size": 33})
    choice = {"length": 700, "temperature": 1.0, "top_k": 40, "prefixes": [np.arange(20)]}
    found = texts(model, NATIVE, **choice)
    assert found == texts(deepcopy(model).double(), TEXTBOOK, **choice)
    assert len(found) == 700


def test_prefix_longer_than_a_piece(level):
    model, prefix = sharp(28, {"cell": "gru"}), batch_of(28, (600,))[0]
    choice = {"length": 10, "temperature": 1.0, "prefixes": [prefix, prefix[:599], prefix[:300]]}
    assert texts(model, NATIVE, **choice) == texts(deepcopy(model).double(), TEXTBOOK, **choice)


def test_tokens_come_before_the_whole_text_is_written(monkeypatch):
    model, sizes = build(7), []
    make = type(NATIVE).reader

    def watched(*args):
        reader = make(NATIVE, *args)
        write = reader.write
        reader.write = lambda ids, *rest, **choice: (
            sizes.append(len(ids) - 1) or write(ids, *rest, **choice)
        )
        return reader

    monkeypatch.setattr(NATIVE, "reader", watched)
    stream = generate_ids(model, Compute(NATIVE), PREFIXES[1:2], GenerationSettings(length=600))
    taken = [next(stream)]
    assert sizes == [1]
    taken += [next(stream)]
    assert len(sizes) == 2
    assert len(taken + list(stream)) == 600
    assert sum(sizes) == 600
    assert max(sizes) <= 256
