"""What units follow: planted units are found, nothing is found where nothing is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from planted_network import COUNTER, QUOTES, planted_model, planted_text
from scipy.stats import pearsonr

from rnnlab.errors import CorpusError, DivergenceError, UsageError
from rnnlab.probes.features import features_of
from rnnlab.probes.following import following
from rnnlab.probes.following_settings import FollowingSettings
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import trace
from rnnlab.probes.twin import untrained_twin
from rnnlab.probes.twin_limit import twin_limit_of_correlations

QUICK = FollowingSettings(shifts=59, least_shift=200)
TOKENS = 4000


@pytest.fixture(scope="module")
def reading():
    return Reading.of(planted_model(), planted_text(TOKENS, seed=1))


@pytest.fixture(scope="module")
def found(reading):
    return following(reading, QUICK)


def test_the_planted_units_do_what_they_should(reading):
    values = trace(reading)
    position = quotes = 0
    for t, character in enumerate(reading.text):
        position = 0 if character == "\n" else position + 1
        quotes = {"“": 1, "”": 0}.get(character, quotes)
        assert values["c"][t, 0, COUNTER] == pytest.approx(0.02 * position, abs=2e-3)
        assert values["c"][t, 0, QUOTES] == pytest.approx(quotes, abs=2e-3)


def test_planted_units_are_found_with_the_right_feature_first(found):
    closest = found.closest()
    assert closest["position in line"].unit == COUNTER
    assert closest["inside quotes"].unit == QUOTES
    assert {one.unit for one in found.found()[:2]} == {COUNTER, QUOTES}
    for unit, feature in ((COUNTER, "position in line"), (QUOTES, "inside quotes")):
        place = found.features.index(feature)
        order = np.argsort(-np.abs(found.r[1, 0, unit]))
        assert order[0] == place
        assert found.r[1, 0, unit, place] > 0.99
        assert found.p[1, 0, unit] == 1 / 60
    text = " ".join(found.sentences())
    assert f"Unit {COUNTER} of layer 1 (c) follows 'position in line': r = 1.00" in text


def test_correlations_are_scipys_on_the_second_half(reading, found):
    half = (TOKENS - 50 - 200) // 2
    assert found.tokens == half
    states, features = trace(reading), {f.name: f.values for f in features_of(reading).all}
    for p, part in enumerate("hc"):
        for unit in range(6):
            train, test = [], []
            for f, name in enumerate(found.features):
                x, y = states[part][:, 0, unit].astype(np.float64), features[name]
                train.append(pearsonr(x[50 : 50 + half], y[50 : 50 + half]).statistic)
                test.append(pearsonr(x[-half:], y[-half:]).statistic)
                assert found.r[p, 0, unit, f] == pytest.approx(test[-1], abs=1e-6)
            chosen = int(np.abs(train).argmax())
            assert found.chosen[p, 0, unit] == chosen
            assert found.train_r[p, 0, unit] == pytest.approx(train[chosen], abs=1e-6)
            assert found.test_r[p, 0, unit] == pytest.approx(test[chosen], abs=1e-6)


def test_the_controls_are_as_stated(reading, found):
    half = found.tokens
    y = {f.name: f.values for f in features_of(reading).all}["position in line"][-half:]
    place = found.features.index("position in line")
    best = []
    for seed in range(QUICK.twins):
        best.append(0.0)
        states = trace(replace(reading, model=untrained_twin(reading.model, seed)))
        for part in "hc":
            for unit in range(6):
                r = abs(pearsonr(states[part][-half:, 0, unit], y).statistic)
                best[-1] = max(best[-1], r)
    assert found.twin_r[place] == pytest.approx(max(best), abs=1e-5)
    limits = twin_limit_of_correlations(np.array(best)[:, None].repeat(len(found.features), 1))
    assert found.twin_limits[place] == pytest.approx(limits[place], abs=1e-5)
    ahead = np.abs(found.test_r) > found.twin_limits[found.chosen]
    beyond = np.abs(found.test_r) > found.thresholds[found.chosen]
    assert (found.follows <= (ahead & beyond)).all()
    # Three characters tell whether the line has just begun, but not how long it is.
    assert 0.02 < found.ngram_r[place] < 0.5
    assert found.ngram_r[found.features.index("inside a word")] > 0.999


def test_nothing_is_found_in_an_untrained_network(reading):
    other = replace(reading, model=untrained_twin(reading.model, 77))
    nothing = following(other, QUICK)
    assert nothing.found() == []
    assert nothing.sentences() == [
        "Nothing found beyond the control: no unit follows a feature more closely than chance and "
        "untrained networks do."
    ]


def test_the_same_call_gives_the_same_result(reading, found):
    again = following(reading, QUICK)
    assert again.to_json() == found.to_json()
    assert (following(reading, replace(QUICK, seed=1)).thresholds != found.thresholds).any()


def test_the_result_is_json_with_named_axes(found):
    content = json.loads(found.to_json())
    assert content["probe"] == "following"
    assert content["r"]["axes"] == ["part", "layer", "unit", "feature"]
    for name, array in found.arrays().items():
        assert array.ndim == len(found.axes[name])
    assert set(found.arrays()) == set(found.axes)


def test_progress_ends_at_one(reading):
    shares = []
    following(reading, QUICK, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_users_pattern_is_found(reading):
    settings = replace(
        QUICK, features=replace(QUICK.features, patterns={"speech": "“[^”]*"}), most_tokens=3000
    )
    found = following(reading, settings)
    assert found.closest()["speech"].unit == QUOTES
    assert found.left_out["inside quotes"] == "it is the same as 'speech'"


def test_a_short_text_is_an_error(reading):
    with pytest.raises(CorpusError) as caught:
        following(reading.first(1000), QUICK)
    assert str(caught.value) == (
        "a text of 1,000 tokens is too short to test a finding on a part of its own; it needs "
        f"{50 + 200 + 2 * (2 * 200 + 59):,}"
    )
    following(reading.first(50 + 200 + 2 * (2 * 200 + 59)), replace(QUICK, least_changes=2))


def test_features_of_another_length_are_an_error(reading):
    with pytest.raises(UsageError) as caught:
        following(reading, QUICK, features=features_of(reading.first(3000)))
    assert "has 3,000 values; the text has 4,000 tokens" in str(caught.value)


def test_a_diverged_network_is_an_error():
    reading = Reading.of(planted_model(), planted_text(TOKENS, seed=1))
    reading.model.model.recurrent.bias_ih_l0.data[0] = float("nan")
    with pytest.raises(DivergenceError, match="NaN or infinite"):
        following(reading, QUICK)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shifts": 18}, "shifts must be at least 19, not 18: with fewer, nothing can be found at "
                         "the 5% level"),
        ({"twins": 1}, "twins must be at least 2, not 1"),
        ({"least_shift": 0}, "least_shift must be at least 1, not 0"),
    ],
)  # fmt: skip
def test_wrong_settings_are_errors(wrong, message):
    with pytest.raises(UsageError) as caught:
        FollowingSettings(**wrong)
    assert str(caught.value) == message
