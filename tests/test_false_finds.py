"""How often the probes find something where nothing is to be found: at most 5% of the searches.

    RNNLAB_TRIES=200 pytest tests/test_false_finds.py

makes as many searches of each kind and allows ten false ones of 200. With fewer tries, chance
alone may be more than 5%: so many are allowed that a rate of 5% exceeds in 1 case of 100.
"""

import os
from dataclasses import replace

import numpy as np
import pytest
from planted_network import planted_model, planted_text
from scipy.stats import binom

from rnnlab.probes.ablation import ablation
from rnnlab.probes.circular_shift import LEVEL
from rnnlab.probes.decoding import decoding
from rnnlab.probes.decoding_settings import DecodingSettings
from rnnlab.probes.features import Features, features_of
from rnnlab.probes.following import following
from rnnlab.probes.following_settings import FollowingSettings
from rnnlab.probes.reading import Reading
from rnnlab.probes.twin import untrained_twin

RECORD = 200
"""Tries from which on the rate itself must be at most LEVEL."""
TOKENS = 1500
QUICK = {"shifts": 59, "least_shift": 150, "least_changes": 10}
DECODED = ("position in line", "inside quotes", "inside a word", "next is a space")
"""Of decoders, which take longer, only these."""


def tries(few):
    return int(os.environ.get("RNNLAB_TRIES", few))


def allowed(number):
    return LEVEL * number if number >= RECORD else binom.ppf(0.99, number, LEVEL)


def untrained(seed):
    """A network that nothing has been taught, and which is none of the probes' own twins."""
    own = Reading.of(planted_model(seed), planted_text(TOKENS, 1000 + seed))
    return replace(own, model=untrained_twin(own.model, 10_000 + seed))


def searched(kind, seed):
    """A network with planted units that reads one text, and features that it cannot know; or an
    untrained network and the features of the text that it reads."""
    own = Reading.of(planted_model(seed), planted_text(TOKENS, 1000 + seed))
    if kind == "untrained":
        return untrained(seed), features_of(own)
    if kind == "another text":
        return own, features_of(Reading.of(own.model, planted_text(TOKENS, 5000 + seed)))
    found, shift = features_of(own), int(np.random.default_rng(seed).integers(400, TOKENS - 400))
    moved = [replace(one, values=np.roll(one.values, shift)) for one in found.all]
    return own, replace(found, all=tuple(moved))


KINDS = ("another text", "shifted text", "untrained")


@pytest.mark.parametrize("kind", KINDS)
def test_units_follow_nothing(kind):
    number, false = tries(20), 0
    for seed in range(number):
        reading, features = searched(kind, seed)
        found = following(
            reading, FollowingSettings(**QUICK, seed=seed), 100 * seed, features=features
        )
        by_chance = bool((found.p <= LEVEL).any())
        false += bool(found.found()) if kind == "untrained" else by_chance
        assert by_chance or not found.found()
    assert false <= allowed(number), f"{false} of {number}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_knows_nothing(kind):
    number, false = tries(8), 0
    for seed in range(number):
        reading, features = searched(kind, seed)
        few = Features(tuple(one for one in features.all if one.name in DECODED), {})
        settings = DecodingSettings(**QUICK, twins=2, seed=seed)
        false += bool(decoding(reading, settings, 100 * seed, features=few).found())
    assert false <= allowed(number), f"{false} of {number}"


def test_no_unit_is_needed_more_than_random_directions():
    number, false = tries(20), 0
    for seed in range(number):
        false += bool(ablation(untrained(seed), seed).stands_out.any())
    assert false <= allowed(number), f"{false} of {number}"
