"""Labels by Bayes' rule, against a loop over labels and tokens."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from rnnlab.data.labelled_tokenizer import LabelledTokenizer
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.engines import ENGINES
from rnnlab.errors import UsageError
from rnnlab.lm.classifier import Classifier, calibrated, fit_temperature, mean_nats
from rnnlab.lm.compute import Compute
from rnnlab.lm.text_model import TextModel

COUNTS = {"one": 30, "two": 10, "three": 0}
SAMPLES = ["anna", "b", "", "nab nab", "zz"]


@pytest.fixture(params=["builtin", "native"])
def model(make_model, request):
    tokenizer = LabelledTokenizer(CharTokenizer.train("\nanb \n"), COUNTS)
    network = make_model(tokenizer.size, init="normal", init_std=0.8)
    network.start = int(tokenizer.encode("\n")[0])
    return TextModel(network, tokenizer, "none", Compute(ENGINES[request.param]))


def test_probabilities_follow_bayes_rule(model):
    inside = model.tokenizer.inside
    expected = []
    for sample in SAMPLES:
        row = []
        for number, count in enumerate(COUNTS.values()):
            ids = [model.model.start, inside.size + number, *inside.encode(sample + "\n")]
            with torch.no_grad():
                inputs = torch.tensor(ids[:-1])[:, None]
                logits, _ = model.model(inputs, model.model.zero_state(1), ENGINES["textbook"])
            log_p = logits[:, 0].log_softmax(1)
            text = sum(log_p[t, ids[t + 1]].item() for t in range(1, len(ids) - 1))
            row.append(text + (np.log(count / 40) if count else -np.inf))
        expected.append(row)
    found = Classifier(model).probabilities(SAMPLES)
    assert found == pytest.approx(softmax(expected, axis=1), rel=1e-3, abs=1e-6)
    assert found.sum(1) == pytest.approx(np.ones(len(SAMPLES)))
    warm = Classifier(model, temperature=3.0).probabilities(SAMPLES)
    assert warm == pytest.approx(softmax(np.array(expected) / 3, axis=1), rel=1e-3, abs=1e-6)
    assert (found[:, 2] == 0).all()  # never seen in training


def test_all_probability_of_the_first_token_and_after_each_label(model):
    """The chain rule: p(label) sums to at most 1, and p(text | label) does not depend on it."""
    scores = Classifier(model).log_scores(SAMPLES)
    assert np.isfinite(scores[:, :2]).all()
    assert (scores[:, 2] == -np.inf).all()


def test_the_temperature_is_that_of_the_labels():
    """Labels drawn from probabilities that are then sharpened: the sharpening is found."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (4_000, 3))
    p = softmax(scores, axis=1)
    targets = np.array([rng.choice(3, p=row) for row in p])
    for sharpened in (0.3, 1.0, 5.0):
        assert fit_temperature(scores * sharpened, targets) == pytest.approx(sharpened, rel=0.1)
    best = fit_temperature(scores, targets)
    assert mean_nats(calibrated(scores, best), targets) <= mean_nats(p, targets)
    assert fit_temperature(np.full((3, 2), -np.inf), np.zeros(3, int)) == 1.0


def test_a_model_without_labels_is_one_clear_error(make_model):
    tokenizer = CharTokenizer.train("\nab\n")
    model = TextModel(make_model(tokenizer.size), tokenizer, "none", Compute(ENGINES["builtin"]))
    rule = r"^classifying needs a model of labelled samples \(rnnlab train --label-column\)$"
    with pytest.raises(UsageError, match=rule):
        Classifier(model)


def test_labels_are_needed_where_samples_have_them(model):
    for act in (lambda: model.score(["anna"]), lambda: model.score("anna\nb")):
        with pytest.raises(UsageError, match="samples of this model have labels"):
            act()
    with pytest.raises(UsageError, match=r"^prefix 'an' needs a label, which this model reads fir"):
        model.generate("an")
    assert model.generate("an", label="one", length=3).startswith("an")
    assert isinstance(model.generate(length=3), str)
    with pytest.raises(UsageError, match="unknown label 'four'"):
        model.generate(label="four")
