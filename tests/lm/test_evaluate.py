"""Nats of a text against a loop over its tokens with torch's own LSTM in float64."""

import json
import math
from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnnlab.engines import ENGINES
from rnnlab.errors import UsageError
from rnnlab.lm import evaluate
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import Evaluation, ngram_nats, perplexity, target_nats, total_nats
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable

BUILTIN = Compute(ENGINES["builtin"])
TEXT = np.random.default_rng(5).integers(0, 7, 70)


def direct_nats(model, ids, window):
    """Nats of each target, one after the other, in float64; the state is zeroed before every
    `window`-th."""
    lstm = nn.LSTM(5, 8, 2).double()
    lstm.load_state_dict(model.recurrent.state_dict())
    rows = model.embedding.weight.double()
    nats, state = [], None
    with torch.no_grad():
        for position in range(len(ids) - 1):
            if position % window == 0:
                state = None
            features, state = lstm(rows[ids[position]][None, :], state)
            logits = nn.functional.linear(
                features[0], model.output.weight.double(), model.output.bias.double()
            )
            nats.append(-logits.log_softmax(dim=0)[ids[position + 1]].item())
    return nats


@settings(deadline=None, max_examples=60)
@given(
    length=st.integers(2, 70),
    window=st.none() | st.integers(1, 90),
    chunk=st.integers(1, 25) | st.just(evaluate.CHUNK_TOKENS),
)
def test_nats_equal_a_loop_over_tokens(sharp_model, length, window, chunk):
    ids = TEXT[:length]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "CHUNK_TOKENS", chunk)
        context = f"windows:{window}" if window else "carried"
        nats = target_nats(sharp_model, BUILTIN, ids, context)
        total = total_nats(sharp_model, BUILTIN, ids, context)
    assert nats == pytest.approx(
        direct_nats(sharp_model, ids, window or length), rel=1e-4, abs=1e-5
    )
    assert total == nats.sum()


@pytest.mark.parametrize("context", ["carried", "windows:4"])
def test_the_state_starts_at_zero_in_each_document(sharp_model, context):
    """What comes next at the end of one is still predicted from it."""
    begins, ids = (7, 8, 20), TEXT[:50]
    found = target_nats(sharp_model, BUILTIN, ids, context, documents=begins)
    parts = zip([0, *begins], [*begins, 49], strict=True)
    alone = [target_nats(sharp_model, BUILTIN, ids[a : b + 1], context) for a, b in parts]
    assert found == pytest.approx(np.concatenate(alone), rel=1e-5)
    assert found != pytest.approx(target_nats(sharp_model, BUILTIN, ids, context), rel=1e-3)


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=40),
    wanted=st.integers(1, 40),
    columns=st.integers(1, 9),
)
@pytest.mark.parametrize("engine", ["builtin", "native"])
def test_samples_are_scored_as_each_one_alone(sharp_model, engine, lengths, wanted, columns):
    """In whatever columns they are read, and with n-grams that do not cross them."""
    rng, start, compute = np.random.default_rng(len(lengths)), 3, Compute(ENGINES[engine])
    samples = [rng.choice([0, 1, 2, 4, 5, 6], length) for length in lengths]
    ids = np.concatenate([[start], *(np.append(sample, start) for sample in samples)])
    table = NGramTable.count(np.append(TEXT % 7, ids), 7, 4, start)
    mixture = NGramMixture(table, np.array([[0.7, 0.4], [0.1, -0.1]]))
    model = deepcopy(sharp_model)
    alone = [
        target_nats(model, compute, np.concatenate([[start], sample, [start]]), "carried")
        for sample in samples
    ]
    model.start = start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "COLUMN_TOKENS", wanted)
        patch.setattr(evaluate, "COLUMNS", columns)
        found = target_nats(model, compute, ids, "carried")
        of_ngrams = ngram_nats(table, ids, "carried")
        of_both = target_nats(model, compute, ids, "carried", mixture=mixture)
    assert found == pytest.approx(np.concatenate(alone), rel=1e-4, abs=1e-5)
    assert of_ngrams == pytest.approx(table.target_nats(ids[:, None]).ravel())
    one_by_one = [
        target_nats(
            model, compute, np.concatenate([[start], sample, [start]]), "carried", mixture=mixture
        )
        for sample in samples
    ]
    assert of_both == pytest.approx(np.concatenate(one_by_one), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("context", ["carried", "windows:100", "windows:3"])
def test_no_forward_pass_is_longer_than_the_chunk(make_model, monkeypatch, context):
    monkeypatch.setattr(evaluate, "CHUNK_TOKENS", 10)
    model, sizes = make_model(), []
    model.output.register_forward_hook(lambda _m, inputs, _o: sizes.append(inputs[0][..., 0]))
    total_nats(model, BUILTIN, TEXT, context)
    assert max(size.numel() for size in sizes) <= 10
    assert sum(size.numel() for size in sizes) == len(TEXT) - 1


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "lstm"])
def test_window_of_one_sees_the_token_before_alone(make_model, engine, cell):
    model = make_model(cell=cell)
    with torch.no_grad():
        logits, _ = model(torch.arange(7)[None, :], model.zero_state(7), engine)
    table = logits[0].double().log_softmax(dim=1)
    expected = -sum(table[a, b].item() for a, b in pairwise(TEXT))
    assert total_nats(model, Compute(engine), TEXT, "windows:1") == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_training_flag_comes_back(sharp_model, training):
    model = deepcopy(sharp_model).eval()
    expected = total_nats(model, BUILTIN, TEXT, "carried")
    model.train(training)
    assert total_nats(model, BUILTIN, TEXT, "carried") == expected
    assert model.training is training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    "context", ["", "carry", "windows", "windows:0", "windows:-4", "windows:x"]
)
def test_bad_context_rule_is_refused(sharp_model, context):
    with pytest.raises(UsageError) as caught:
        total_nats(sharp_model, BUILTIN, TEXT, context)
    assert str(caught.value) == (
        f"context: a context rule is 'carried' or 'windows:N' with N >= 1, not {context!r}"
    )


@pytest.mark.parametrize("length", [0, 1])
def test_text_without_a_target_is_refused(sharp_model, length):
    with pytest.raises(UsageError) as caught:
        total_nats(sharp_model, BUILTIN, TEXT[:length], "carried")
    assert str(caught.value) == f"a text of {length} tokens has nothing to predict; it needs 2"


def test_bfloat16_is_computed_in_where_asked_for(make_model, output_types):
    model = make_model()
    types = output_types(model)
    exact = total_nats(model, BUILTIN, TEXT, "carried")
    assert types == {torch.float32}
    # The textbook engine computes in bfloat16 on any processor.
    compute = Compute(ENGINES["textbook"], precision="bfloat16")
    rough = total_nats(model, compute, TEXT, "carried")
    assert types == {torch.float32, torch.bfloat16}
    assert rough == pytest.approx(exact, rel=0.01)


def test_perplexity_is_exp_and_infinite_where_that_overflows():
    assert perplexity(0) == 1
    assert perplexity(1.5) == pytest.approx(math.e**1.5)
    assert perplexity(800) == math.inf


def test_record_becomes_json_with_all_its_fields():
    record = Evaluation(
        corpus="c", corpus_sha256="0" * 64, split="test", split_characters=9,
        context="carried", tokens=9,
        characters=8, unknown_tokens=1, unknown_characters=2, first_nats=1.0, spelling_nats=9.0,
        nats_per_token=1.0, bits_per_character=2.0,
        perplexity=math.e, checkpoint="best", baselines={"xz": {"bits_per_character": 3.0}},
    )  # fmt: skip
    assert json.loads(json.dumps(record.to_dict())) == vars(record)
