"""Places where the same units are on: planted ones, a plain search, and how often chance wins."""

import numpy as np
import pytest

from rnnlab.errors import UsageError
from rnnlab.probes.matches import Chosen, chosen_units, matches

N, U = 3_000, 12


def slow_noise(seed, tokens=N, units=U, memory=0.9):
    """Independent units, each of which changes slowly (an autoregression with its own memory)."""
    random = np.random.default_rng(seed)
    drive, found = random.standard_normal((tokens, units)), np.zeros((tokens, units))
    now = drive[0]
    for t in range(tokens):
        now = memory * now + np.sqrt(1 - memory**2) * drive[t]
        found[t] = now
    return found


def by_hand(values, chosen, threshold, least, *, bounded=False, left_out=None):
    """Places by looking at each token after the other."""
    on = [
        sum(values[t, u] * s > threshold for u, s in zip(chosen.units, chosen.signs, strict=True))
        for t in range(len(values))
    ]
    found, begin = [], None
    for t in range(len(values) + 1):
        if t < len(values) and on[t] >= least:
            begin = t if begin is None else begin
            continue
        if begin is not None and t - begin >= chosen.length:
            edges = [on[k] for k in (begin - 1, t) if 0 <= k < len(values)]
            overlaps = left_out and begin < left_out[1] and t > left_out[0]
            if not overlaps and not (bounded and any(edges)):
                found.append((begin, t))
        begin = None
    return found


def test_what_was_planted_is_found_and_nothing_else():
    values, places = np.abs(slow_noise(0)) * 0.1, [40, 300, 777, 1500, 2900]
    for place in places:
        values[place : place + 6, [2, 5, 9]] = 2.0
    chosen = chosen_units(values, 40, 46, 1.0)
    assert chosen == Chosen((2, 5, 9), (1, 1, 1), 6)
    found = matches(values, chosen, 1.0, left_out=(40, 46))
    assert found.begins.tolist() == places[1:]
    assert found.ends.tolist() == [place + 6 for place in places[1:]]
    assert found.by_chance.shape == (200,)
    assert found.p == pytest.approx(1 / 201)
    assert found.sentences() == [
        "4 places in 3,000 tokens with all 3 units on for 6 tokens or more; 0.0 by chance (95% of "
        "tries: 0 to 0), p = 0.005."
    ]


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("least", [0, 2])
@pytest.mark.parametrize("both_sides", [False, True])
def test_places_are_those_of_a_plain_search(both_sides, least, bounded):
    values = slow_noise(1, 1_500, memory=0.0 if bounded else 0.6)
    values[:, 1] = 0.7 * values[:, 0] + 0.3 * values[:, 1]
    values[:, 4] = -values[:, 0]
    seen = 0
    for begin in range(100, 900, 16):
        left_out = (begin, begin + (1 if bounded else 2))
        chosen = chosen_units(values, *left_out, 0.3, both_sides=both_sides, bounded=bounded)
        few = chosen._replace(units=chosen.units[:3], signs=chosen.signs[:3])
        if len(few.units) < 2:
            continue
        found = matches(values, few, 0.3, least=least, bounded=bounded, left_out=left_out, tries=1)
        expected = by_hand(
            values, few, 0.3, least or len(few.units), bounded=bounded, left_out=left_out
        )
        assert list(zip(found.begins, found.ends, strict=True)) == expected
        seen += len(expected)
    assert seen > 10


def test_which_units_are_on():
    values = np.zeros((10, 5))
    values[3:6] = [0.9, -0.9, 0.9, 0.4, 0.9]
    values[6, 2] = values[2, 4] = 0.9  # on right after, and right before
    assert chosen_units(values, 3, 6, 0.5) == Chosen((0, 2, 4), (1, 1, 1), 3)
    assert chosen_units(values, 3, 6, 0.5, both_sides=True).units == (0, 1, 2, 4)
    assert chosen_units(values, 3, 6, 0.5, both_sides=True).signs == (1, -1, 1, 1)
    assert chosen_units(values, 3, 6, 0.5, bounded=True).units == (0,)
    assert chosen_units(values, 0, 10, 0.5).units == ()
    rounded = np.full((3, 1), 0.3, np.float16)  # a little more than 0.3
    assert chosen_units(rounded, 0, 3, 0.3).units == (0,)


def test_one_unit_alone_has_no_chance_to_compare_with():
    values = slow_noise(2)
    found = matches(values, Chosen((3,), (1,), 2), 1.0)
    assert found.sentences()[0].endswith(
        "with the unit on for 2 tokens or more; for chance it takes two units."
    )


def test_independent_units_are_together_as_often_as_chance_says():
    """Of 100 searches the interval has the number in at least 90, and p is small in about 5."""
    inside = false = 0
    for seed in range(100):
        values = slow_noise(100 + seed)
        random = np.random.default_rng(seed)
        chosen = Chosen((), (), 0)
        while len(chosen.units) < 2:
            begin = int(random.integers(0, N - 2))
            chosen = chosen_units(values, begin, begin + 2, 0.2)
        few = chosen._replace(units=chosen.units[:3], signs=chosen.signs[:3])
        found = matches(values, few, 0.2, left_out=(begin, begin + 2), seed=seed, tries=100)
        low, high = found.interval
        inside += low <= len(found.begins) <= high
        false += found.p <= 0.05
    assert inside >= 90
    assert false <= 11  # binom.ppf(0.99, 100, 0.05)


def test_units_that_go_together_are_more_often_together_than_chance_says():
    values = slow_noise(4)
    values[:, 1] = 0.9 * values[:, 0] + 0.1 * values[:, 1]
    found = matches(values, Chosen((0, 1), (1, 1), 3), 0.5)
    assert len(found.begins) > found.interval[1]
    assert found.p == pytest.approx(1 / 201)


def test_the_series_keep_how_long_they_are_on():
    """Were tokens shuffled, slow units would never be on together for long."""
    values = slow_noise(5, memory=0.99)
    found = matches(values, Chosen((0, 1), (1, 1), 20), 0.5)
    assert found.by_chance.mean() > 1


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda v: chosen_units(v, 5, 5, 0.1), "tokens 5 to 5 are not in a text of 50 tokens"),
        (lambda v: chosen_units(v, 40, 51, 0.1), "tokens 40 to 51 are not in a text of 50 tokens"),
        (lambda v: chosen_units(v, 1, 2, -0.1, both_sides=True),
         "threshold must be at least 0 if both sides count, not -0.1"),
        (lambda v: matches(v, Chosen((), (), 3), 0.1),
         "units: none is on at all of these tokens; choose fewer tokens or a lower threshold"),
        (lambda v: matches(v, Chosen((1,), (1,), 3), 0.1, least=2),
         "least must be 0 (all) to 1, the number of units, not 2"),
        (lambda v: matches(v[:1], Chosen((1,), (1,), 3), 0.1),
         "a search needs 2 tokens and 1 try, not 1 and 200"),
    ],
)  # fmt: skip
def test_what_is_not_possible_is_one_sentence(ask, message):
    with pytest.raises(UsageError) as error:
        ask(np.zeros((50, 4)))
    assert str(error.value) == message
