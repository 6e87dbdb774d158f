"""What the whole state knows, against scikit-learn step by step; planted truth; nothing else."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from planted_network import planted_model, planted_text
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score

from rnnlab.errors import CorpusError, UnavailableError, UsageError
from rnnlab.probes.decoding import control_values, decoding
from rnnlab.probes.decoding_settings import DecodingSettings
from rnnlab.probes.features import features_of
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import trace
from rnnlab.probes.twin import untrained_twin

QUICK = DecodingSettings(shifts=59, least_shift=200)
TOKENS = 4000


@pytest.fixture(scope="module")
def reading():
    return Reading.of(planted_model(), planted_text(TOKENS, seed=1))


@pytest.fixture(scope="module")
def found(reading):
    return decoding(reading, QUICK)


def test_planted_knowledge_is_found(found):
    known = {one.feature: one for one in found.found()}
    assert known["position in line"].score > 0.98
    assert known["inside quotes"].score > 0.99
    assert known["position in line"].measure == "R²"
    assert known["inside quotes"].measure == "balanced accuracy"
    for name in ("position in line", "inside quotes"):
        assert known[name].p == 1 / 60
        assert known[name].score > max(known[name].control, known[name].twin_limit) + 0.05
        assert known[name].score > known[name].twin_score + 0.2
    text = found.sentences()
    assert any(s.startswith("'position in line' can be read from c of layer 1: R² 0.9") or
               s.startswith("'position in line' can be read from c of layer 1: R² 1.0")
               for s in text)  # fmt: skip


@pytest.mark.parametrize("part", [0, 1])
def test_scores_are_scikit_learns(reading, found, part):
    half = found.tokens
    states = trace(reading)["hc"[part]][:, 0].astype(np.float64)
    train, test = slice(50, 50 + half), slice(TOKENS - half, TOKENS)
    center, width = states[train].mean(0), states[train].std(0)
    x, z = ((states[s] - center) / width for s in (train, test))
    features = {f.name: f for f in features_of(reading).all}
    random = control_values(
        reading.ids, np.stack([features[name].values for name in found.features], 1), 3, 0
    )
    for f, name in enumerate(found.features):
        for y, scores in (
            (features[name].values, found.score),
            (random[:, f], found.control),
        ):
            if features[name].kind == "number":
                model = Ridge(alpha=0.001 * half).fit(x, y[train])
                expected = r2_score(y[test], model.predict(z))
            else:
                model = LogisticRegression(
                    C=1 / (0.001 * half), class_weight="balanced", max_iter=1000
                ).fit(x, y[train])
                expected = balanced_accuracy_score(y[test], model.predict(z))
            assert scores[part, 0, f] == pytest.approx(expected, abs=5e-3), name
    assert found.selectivity == pytest.approx(found.score - found.control)


def test_balanced_accuracy_and_r2_are_what_they_say(found, reading):
    """By counting, from the sentence in the docstring."""
    y = features_of(reading).all[found.features.index("inside quotes")].values[-found.tokens :]
    guess = trace(reading)["c"][-found.tokens :, 0, 4] > 0.5
    by_hand = (guess[y == 1].mean() + (~guess[y == 0]).mean()) / 2
    f = found.features.index("inside quotes")
    assert found.score[1, 0, f] == pytest.approx(by_hand, abs=0.01)


def test_control_labels_are_one_for_each_context():
    ids = np.random.default_rng(0).integers(0, 4, 5000)
    values = (np.random.default_rng(1).random((5000, 1)) < 0.3).astype(float)
    labels = control_values(ids, values, 5, seed=0)[:, 0]
    own = dict[tuple[int, ...], float]()
    for t in range(5000):
        assert own.setdefault(tuple(ids[max(0, t - 4) : t + 1].tolist()), labels[t]) == labels[t]
    assert np.mean(list(own.values())) == pytest.approx(values.mean(), abs=0.06)
    assert (control_values(ids, values, 5, seed=1)[:, 0] != labels).any()


def test_nothing_is_known_of_another_text(reading):
    other = Reading.of(reading.model, planted_text(TOKENS, seed=2))
    nothing = decoding(reading, QUICK, features=features_of(other))
    assert nothing.found() == []
    assert nothing.sentences() == [
        "Nothing found beyond the control: no feature can be read from the state better than "
        "random labels and from an untrained network."
    ]


def test_nothing_is_known_by_an_untrained_network(reading):
    nothing = decoding(replace(reading, model=untrained_twin(reading.model, 77)), QUICK)
    assert nothing.found() == []
    again = decoding(replace(reading, model=untrained_twin(reading.model, 3)), QUICK, seed=3)
    assert (again.score.max((0, 1)) <= again.twin_score + 1e-9).all()  # one of them is the same


def test_the_same_call_gives_the_same_result_with_named_axes(reading, found):
    assert decoding(reading, QUICK).to_json() == found.to_json()
    assert set(found.arrays()) == set(found.axes)
    for name, array in found.arrays().items():
        assert array.ndim == len(found.axes[name])


def test_a_short_text_is_an_error(reading):
    with pytest.raises(CorpusError, match="a text of 900 tokens is too short to test a finding"):
        decoding(reading.first(900), QUICK)


def test_without_scikit_learn_the_error_says_what_to_install(reading, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "rnnlab.probes.linear_decoders", raising=False)
    with pytest.raises(UnavailableError) as caught:
        decoding(reading, QUICK)
    assert str(caught.value) == (
        "decoding needs the package scikit-learn; install it with pip install 'rnnlab[probe]'"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"penalty": 0.0}, "penalty must be above 0, not 0.0"),
        ({"context": 0}, "context must be at least 1, not 0"),
        ({"lead": -0.1}, "lead must be at least 0 and below 1, not -0.1"),
        ({"shifts": 5}, "shifts must be at least 19, not 5: with fewer, nothing can be found at "
                        "the 5% level"),
    ],
)  # fmt: skip
def test_wrong_settings_are_errors(wrong, message):
    with pytest.raises(UsageError) as caught:
        DecodingSettings(**wrong)
    assert str(caught.value) == message
