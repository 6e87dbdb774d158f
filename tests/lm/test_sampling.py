"""The choice of a token against the exact distribution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.errors import DivergenceError
from rnnlab.lm.sampling import choose_tokens, draw_uniforms, log_softmax

WRITTEN, ALLOWED = [0, 2, 5], [0, 1, 2, 4]
"""Tokens that were written before, and those that may come next."""


def exact_distribution(
    logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0, allowed=False
):
    """The distribution by definition: each step in order, normalised after each."""
    p = np.exp(np.array(logits) - max(logits))
    if allowed:
        p[[token for token in range(len(p)) if token not in ALLOWED]] = 0
    p /= p.sum()
    p[WRITTEN] **= repetition_penalty
    p = (p / p.max()) ** (1 / temperature)
    if top_k:
        p[p < np.sort(p)[-min(top_k, len(p))]] = 0
    p /= p.sum()
    nucleus, mass = [], 0.0
    for token in np.argsort(-p, kind="stable"):
        if mass < top_p:
            nucleus.append(token)
        mass += p[token]
    kept = np.zeros_like(p)
    kept[nucleus] = p[nucleus]
    kept[kept < min_p * kept.max()] = 0
    return kept / kept.sum()


def as_rows(tokens, count):
    row = np.zeros(6, np.bool_)
    row[tokens] = True
    return np.tile(row, (count, 1))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 3},
        {"top_k": 99},
        {"top_p": 0.7},
        {"top_p": 1e-9},
        {"temperature": 1.7, "top_k": 4, "top_p": 0.8},
        {"min_p": 0.3},
        {"min_p": 1.0},
        {"min_p": 0.5, "temperature": 3.0, "top_p": 0.9},
        {"repetition_penalty": 1.8},
        {"repetition_penalty": 0.4, "top_k": 2},
        {"allowed": True},
        {"allowed": True, "repetition_penalty": 3.0, "temperature": 0.6, "top_p": 0.95},
    ],
    ids=str,
)
def test_frequencies_match_the_exact_distribution(options):
    logits, draws = [0.3, -1.0, 1.2, 0.0, 0.9, -3.0], 20_000
    rows = np.tile(np.float32(logits), (draws, 1))
    uniforms = np.random.default_rng(0).random(draws).tolist()
    given = dict(options)
    if "repetition_penalty" in given:
        given["written"] = as_rows(WRITTEN, draws)
    if "allowed" in given:
        given["allowed"] = as_rows(ALLOWED, draws)
    found = np.bincount(choose_tokens(rows, uniforms, **given), minlength=6) / draws
    p = exact_distribution(logits, **options)
    assert np.all(np.abs(found - p) <= 4.5 * np.sqrt(p * (1 - p) / draws))  # 0 where p is 0 or 1


@settings(deadline=None, max_examples=150)
@given(
    logits=st.lists(st.integers(-240, 240).map(lambda n: n / 8), min_size=2, max_size=9),
    temperature=st.sampled_from([0.0, 1e-320, 1e-30, 0.1, 1.0, 5.0]),
    top_k=st.integers(0, 10),
    top_p=st.floats(0.01, 1),
    forbidden=st.integers(-1, 1),
    seed=st.integers(0, 99),
)
def test_no_excluded_token_is_ever_picked(logits, temperature, top_k, top_p, forbidden, seed):
    uniforms = np.random.default_rng(seed).random(8).tolist()
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "forbidden": forbidden}
    picks = choose_tokens(np.tile(np.float32(logits), (8, 1)), uniforms, **options)
    left = [x for i, x in enumerate(logits) if i != forbidden]
    top = max(left)
    for pick in picks:
        assert pick != forbidden
        assert 0 <= pick < len(logits)
        value = logits[pick]
        if temperature < 1e-20:
            assert value == top
            continue
        likelier = [x for x in left if x > value]
        assert not top_k or len(likelier) < top_k
        kept = sorted(left, reverse=True)
        kept = [x for x in kept if not top_k or x >= kept[min(top_k, len(kept)) - 1]]
        mass = np.exp((np.array(kept) - top) / temperature)
        assert mass[: len(likelier)].sum() / mass.sum() < top_p + 1e-9


def test_logits_that_are_nan_are_refused():
    logits = np.array([[0.0, float("nan"), 1.0]], np.float32)
    for temperature in (0.0, 1.0):
        with pytest.raises(DivergenceError, match="the model's output is NaN"):
            choose_tokens(logits, [0.5], temperature=temperature)


def test_a_penalty_asks_for_probabilities_alone():
    """Logits that mean the same probabilities give the same picks, of any sign; so does ln p."""
    logits = np.array([[2.0, 1.5, -1.0]], np.float32)
    written = np.array([[True, False, False]])
    for shift in (0.0, -50.0, 50.0):
        for rows in (logits + shift, log_softmax(logits)):
            options = {"temperature": 0, "written": written}
            assert choose_tokens(rows, [0.0], repetition_penalty=1.0, **options) == [0]
            assert choose_tokens(rows, [0.0], repetition_penalty=9.0, **options) == [1]


def test_a_single_token_that_is_allowed_is_picked():
    logits, allowed = np.array([[9.0, -90.0, 8.0]]), np.array([[False, True, False]])
    options = {"allowed": allowed, "written": allowed, "repetition_penalty": 5.0}
    for temperature in (0.0, 1e-30, 1.0):
        assert choose_tokens(logits, [0.9], temperature=temperature, **options) == [1]


def test_numbers_of_a_later_place_are_those_of_the_whole_stream():
    whole = draw_uniforms(7, 2, 300)
    assert draw_uniforms(7, 2, 40, first=123).tolist() == whole[123:163].tolist()
