"""Code lengths by piece; intervals of leads, which must contain the true one 95 times in 100."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer, WordTokenizer
from rnnlab.lm.code_length import CodeLength, code_of_tokens, lead, mean_lead

LN2 = math.log(2)


def by_character(bits: np.ndarray) -> CodeLength:
    return CodeLength(np.arange(1, len(bits) + 1), bits * LN2)


def in_pieces(code: CodeLength, ends: np.ndarray) -> CodeLength:
    return CodeLength(ends, np.diff(code.up_to(ends), prepend=0))


def test_nats_up_to_a_character_are_those_of_the_tokens_before_it() -> None:
    # Tokens of 2, 0 (the first byte of a character) and 4 characters.
    code = CodeLength(np.array([2, 2, 6]), np.array([1.0, 0.5, 8.0]))
    assert code.up_to(np.array([0, 1, 2, 3, 6])).tolist() == [0, 0.75, 1.5, 3.5, 9.5]
    assert (code.total, code.characters) == (9.5, 6)


def tokenizers(train: str) -> list:
    return [
        CharTokenizer.train(train),
        ByteTokenizer(),
        WordTokenizer.train(train, 2),
        BpeTokenizer.train(train, 280),
    ]


@given(st.text(alphabet=st.sampled_from("ab é漢😀\n.\ud800\udc80"), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_token_ends_where_the_text_of_the_tokens_so_far_does(text: str) -> None:
    for tokenizer in tokenizers("a ba ab é漢 ab é漢. "):
        ids, ends = tokenizer.encode(text), tokenizer.ends(text)
        assert len(ids) == len(ends)
        assert ends[-1] == len(text)
        assert (np.diff(ends, prepend=0) >= 0).all()
        if tokenizer.unknown_id is None:
            whole = tokenizer.decode(ids)
            for i, end in enumerate(ends):
                assert whole.startswith(tokenizer.decode(ids[: i + 1]).rstrip("\ufffd")[:end])
                assert len(tokenizer.decode(ids[: i + 1]).rstrip("\ufffd")) <= end
        for i in np.flatnonzero(ids != tokenizer.unknown_id):
            if tokenizer.kind in ("char", "word"):
                assert text[ends[i - 1] if i else 0 : ends[i]] == tokenizer.decode([ids[i]])


def test_the_code_of_tokens_charges_the_first_token_and_the_spelling_where_they_stand() -> None:
    text = "ab xyz ab xyz"
    for tokenizer in tokenizers("ab\nab\nab ab ab "):
        nats = np.arange(1.0, len(tokenizer.encode(text)))
        code = code_of_tokens(tokenizer, text, nats)
        charges = tokenizer.charges(text)
        assert code.total == pytest.approx(
            nats.sum() + charges.first_nats + charges.spelling_nats, rel=1e-12
        )
        assert code.nats[0] == pytest.approx(math.log(tokenizer.size))
    word = WordTokenizer.train("ab\nab\nab ab ab ", 2)  # " xyz" is unknown
    code = code_of_tokens(word, text, np.ones(3))
    assert code.nats[[1, 3]] == pytest.approx(1 + word.spelling_nats(" xyz"))
    assert code.nats[2] == 1


def correlated(rng: np.random.Generator, texts: int, size: int, memory: float) -> np.ndarray:
    """Skewed values of mean 0 that depend on those some characters before."""
    shocks = rng.exponential(size=(texts, size + 500)) - 1
    steps = np.exp(-np.arange(400) / memory)
    filtered = np.fft.irfft(np.fft.rfft(shocks) * np.fft.rfft(steps, shocks.shape[1]))
    return filtered[:, -size:]


@pytest.mark.parametrize(
    ("size", "memory", "piece"),
    [(2_000, 5, 1), (8_500, 20, 1), (8_500, 20, 100), (30_000, 60, 1), (10_000, 20, 2_000)],
)
def test_an_interval_contains_the_true_lead_of_correlated_codes_in_95_of_100_texts(
    size: int, memory: float, piece: int
) -> None:
    rng, texts, true = np.random.default_rng(size), 600, 0.1
    ends = np.arange(piece, size + 1, piece)
    code = by_character(np.full(size, 2.0))
    inside = 0
    for noise in correlated(rng, texts, size, memory):
        found = lead(code, in_pieces(by_character(2 + true + noise), ends))
        assert found is not None
        inside += found.low <= true <= found.high
    # 600 draws have a standard error of 0.9%.
    assert 0.925 <= inside / texts <= 0.985


def test_correlation_would_be_missed_by_an_interval_of_single_characters() -> None:
    """What the blocks are for: the same texts, as if their characters were independent."""
    inside, texts = 0, 200
    for noise in correlated(np.random.default_rng(1), texts, 8_500, 20):
        half = 1.96 * noise.std() / math.sqrt(len(noise))
        inside += abs(noise.mean()) <= half
    assert inside / texts < 0.5


def test_the_interval_is_that_of_blocks_drawn_at_random() -> None:
    size = 4_000
    (noise,) = correlated(np.random.default_rng(3), 1, size, 10)
    found = lead(by_character(np.zeros(size)), by_character(noise))
    assert found is not None
    assert found.bits_per_character == pytest.approx(noise.mean())
    rng, block = np.random.default_rng(4), size // 20
    starts = rng.integers(0, size, (20_000, 20))
    twice = np.concatenate([noise, noise])
    sums = np.convolve(twice, np.ones(block), "valid")
    drawn = sums[starts].mean(1) / block
    t_of_19, correction = 2.093, math.sqrt(20 / 19)
    assert found.high - found.bits_per_character == pytest.approx(
        t_of_19 * correction * drawn.std(), rel=0.02
    )
    assert found.bits_per_character - found.low == pytest.approx(
        found.high - found.bits_per_character
    )


def test_a_lead_is_the_difference_of_two_codes_whatever_their_pieces() -> None:
    rng = np.random.default_rng(5)
    size = 3_000
    ends = np.append(np.sort(rng.choice(np.arange(1, size), 400, replace=False)), size)
    tokens = CodeLength(ends, rng.exponential(3.0, len(ends)))
    other = by_character(rng.exponential(2.0, size))
    found = lead(tokens, other)
    assert found is not None
    assert found.bits_per_character == pytest.approx((other.total - tokens.total) / LN2 / size)
    assert found.low < found.bits_per_character < found.high
    nothing = lead(other, other)
    assert nothing is not None
    assert list(nothing.to_dict().values()) == pytest.approx([0, 0, 0], abs=1e-12)


def test_there_is_no_interval_for_a_short_text_or_for_few_pieces() -> None:
    code = by_character(np.ones(5_000))
    assert lead(code, in_pieces(code, np.array([5_000]))) is None
    assert lead(code, in_pieces(code, np.arange(1_250, 5_001, 1_250))) is None
    assert lead(code, in_pieces(code, np.arange(1_000, 5_001, 1_000))) is not None
    short = by_character(np.ones(999))
    assert lead(short, short) is None


def test_p_is_below_a_twentieth_where_the_interval_leaves_out_no_lead() -> None:
    rng = np.random.default_rng(0)
    sides = set()
    for shift in np.linspace(-0.06, 0.06, 25):
        one, other = (by_character(rng.exponential(size=3_000)) for _ in "ab")
        other = CodeLength(other.ends, other.nats + shift)
        found = mean_lead(one, other)
        assert found is not None
        interval = found.interval()
        t = abs(found.bits_per_character) / found.error
        assert found.p_value() == pytest.approx(2 * stats.t.sf(t, found.freedom))
        assert (found.p_value() < 0.05) == (not interval.low <= 0 <= interval.high)
        sides.add(found.p_value() < 0.05)
    assert sides == {True, False}
    same = mean_lead(one, one)
    assert same is not None
    assert same.p_value() == 1
