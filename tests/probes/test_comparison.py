"""Two networks on the same text: bits against sums over characters, intervals, sentences."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probed_model import TEXT, build

from rnnlab.config import DataSettings
from rnnlab.data.tokenizer import train_tokenizer
from rnnlab.errors import UsageError
from rnnlab.lm.code_length import CodeLength, code_of_tokens, lead
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.comparison import comparison
from rnnlab.probes.reading import Reading
from rnnlab.probes.surprise import Surprise, surprise

NAMES = ("one", "two")


def surprise_of(tokens: list[str], bits: list[float]) -> Surprise:
    """Make up what surprised a network."""
    empty = np.empty((len(bits), 1))
    return Surprise(
        tokens=tuple(tokens), vocabulary={}, bits=np.array(bits), network_bits=np.array(bits),
        ngram_bits=None, spelling_bits=np.zeros(len(bits)), entropy=empty, rank=empty,
        alternatives=empty, probabilities=empty, characters=0, unknown={},
    )  # fmt: skip


def cut(text: str, places: set[int]) -> list[str]:
    ends = [0, *sorted(places), len(text)]
    return [text[a:b] for a, b in pairwise(ends)]


@given(st.data())
def test_bits_are_summed_between_the_places_where_tokens_of_both_end(data):
    text = data.draw(st.text("ab \n", min_size=6, max_size=30))
    places = st.sets(st.integers(1, len(text) - 1), min_size=2)
    tokens = [cut(text, data.draw(places)) for _ in NAMES]
    bits = [
        data.draw(st.lists(st.floats(0, 9), min_size=len(t) - 1, max_size=len(t) - 1))
        for t in tokens
    ]
    ends = [[len("".join(t[: n + 1])) for n in range(len(t))] for t in tokens]
    common = sorted(set(ends[0]) & set(ends[1]))
    made_up = [surprise_of(t, b) for t, b in zip(tokens, bits, strict=True)]
    if len(common) < 2:
        with pytest.raises(UsageError, match="have no part of the text in common"):
            comparison(*made_up, NAMES)
        return
    found = comparison(*made_up, NAMES)
    assert found.given + "".join(found.pieces) == text
    for which, mine, at in ((found.bits, bits[0], ends[0]), (found.other_bits, bits[1], ends[1])):
        expected = [
            sum(b for b, end in zip(mine, at[1:], strict=True) if a < end <= z)
            for a, z in pairwise(common)
        ]
        np.testing.assert_allclose(which, expected, atol=1e-9)
    total = (found.other_bits - found.bits).sum() / (len(text) - common[0])
    assert found.lead == pytest.approx(total)


def read_by(kind: str, text: str = TEXT, seed: int = 3):
    """A small network with a tokenizer of its own, and the text as it reads it."""
    tokenizer = train_tokenizer(DataSettings(tokenizer=kind, bpe_size=280), text[: len(text) // 2])
    model = build(seed)
    network = LanguageModel(model.model.settings, tokenizer.size, seed, None)
    return Reading.of(TextModel(network, tokenizer, "none", model.compute), text)


@pytest.mark.parametrize("kinds", [("char", "bpe"), ("word", "char"), ("byte", "word")], ids=str)
def test_networks_of_different_tokens_pay_for_the_same_characters(kinds):
    text = TEXT + "né ß dd\n" * 40
    readings = [read_by(kind, text) for kind in kinds]
    found = comparison(*map(surprise, readings), NAMES)
    for bits, reading in zip((found.bits, found.other_bits), readings, strict=True):
        s = surprise(reading)
        code = code_of_tokens(reading.model.tokenizer, reading.text, s.bits * math.log(2))
        ends = np.array([len(found.given), len(text)])
        both = np.diff(code.up_to(ends))[0] / math.log(2)
        assert bits.sum() == pytest.approx(both, rel=1e-6)


def test_the_interval_is_the_block_bootstrap_of_the_lead():
    one, two = surprise(read_by("char")), surprise(read_by("char", seed=4))
    found, other = comparison(one, two, NAMES), comparison(two, one, NAMES[::-1])
    ends = np.arange(1, len(TEXT))
    codes = [CodeLength(ends, s.bits * math.log(2)) for s in (one, two)]
    expected = lead(*codes)
    assert (found.lead, found.low, found.high) == pytest.approx(
        (expected.bits_per_character, expected.low, expected.high)
    )
    assert (found.lead, found.low, found.high) == pytest.approx(
        (-other.lead, -other.high, -other.low)
    )
    assert found.sentences() == other.sentences()
    assert found.characters == len(TEXT) - 1


def test_sentences():
    tokens = list("ab" * 1000)
    gap = [1.0] * 1999
    wave = (2 + np.sin(np.arange(1999))).tolist()
    better = comparison(surprise_of(tokens, gap), surprise_of(tokens, [1.5] * 1999), NAMES)
    by = "by 0.500 bits per character (95%: 0.500 to 0.500)."
    assert better.sentences() == [f"one predicts the text better than two, {by}"]
    worse = comparison(surprise_of(tokens, [1.5] * 1999), surprise_of(tokens, gap), NAMES)
    assert worse.sentences() == [f"two predicts the text better than one, {by}"]
    same = comparison(surprise_of(tokens, wave), surprise_of(tokens, wave), NAMES)
    assert same.sentences() == [
        "Nothing found beyond chance: one is 0.000 bits per character ahead of two (95%: 0.000 to "
        "0.000)."
    ]
    short = comparison(surprise_of(list("abc"), [1, 1]), surprise_of(list("abc"), [2, 3]), NAMES)
    assert short.sentences() == [
        "It may be chance: one is 1.500 bits per character ahead of two; 2 characters are too few "
        "for an interval."
    ]


def test_only_what_both_have_read_counts():
    one = surprise_of(list("abcd"), [1, 2, 3])
    found = comparison(one, surprise_of(list("abcdef"), [1, 1, 1, 9, 9]), NAMES)
    assert found.pieces == ("b", "c", "d")
    assert found.difference.tolist() == [0, -1, -2]
    with pytest.raises(UsageError) as caught:
        comparison(one, surprise_of(list("abxd"), [1, 1, 1]), NAMES)
    assert str(caught.value) == (
        "one and two read different texts, from character 3 on: their text rules differ; only what "
        "both read the same can be compared"
    )
