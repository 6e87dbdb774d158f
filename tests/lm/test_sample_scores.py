"""Scores of samples against a loop that reads each one alone through the textbook engine."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer, WordTokenizer
from rnnlab.engines import ENGINES
from rnnlab.errors import DivergenceError, UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.ngram_mixture import NGramMixture
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.lm.text_model import TextModel

TEXT = "\nanna\nben and anna\ncleo\nd\u00f6rte 7\nemil\n" * 3
TOKENIZERS = {
    "char": CharTokenizer.train(TEXT),
    "byte": ByteTokenizer(),
    "word": WordTokenizer.train(TEXT, 1),
    "bpe": BpeTokenizer.train(TEXT, 270),
}
SAMPLES = ["anna", "ben and anna ", "", "cleo, d\u00f6rte", "zoe", "anna", "7 7 7"]


def build(make_model, kind, of_samples, mixed=False, engine="auto"):
    tokenizer = TOKENIZERS[kind]
    model = make_model(tokenizer.size, init="normal", init_std=0.8)
    start = int(tokenizer.encode("\n")[0])
    if of_samples:
        model.start = start
    mixture = None
    if mixed:
        ids = tokenizer.encode(TEXT)
        table = NGramTable.count(ids, tokenizer.size, 3, start if of_samples else None)
        mixture = NGramMixture(table, np.array([[0.6, 0.5], [0.05, -0.05]]))
    compute = Compute(ENGINES["builtin" if engine == "auto" else engine])
    return TextModel(model, tokenizer, "none", compute, mixture=mixture)


def nats_alone(model, sample):
    """-ln p of each token of a line and of its end, after a line break and from a zero state."""
    tokenizer = model.tokenizer
    ids = [int(i) for text in ("\n", sample, "\n") for i in tokenizer.encode(text)]
    with torch.no_grad():
        inputs = torch.tensor(ids[:-1])[:, None]
        logits, _ = model.model(inputs, model.model.zero_state(1), ENGINES["textbook"])
        if model.mixture:
            log_p = model.mixture.joined(logits, inputs.numpy())
        else:
            log_p = logits.log_softmax(2)
    return [-log_p[t, 0, after].item() for t, after in enumerate(ids[1:])]


@pytest.mark.parametrize("engine", ["builtin", "native"])
@pytest.mark.parametrize("mixed", [False, True], ids=["network", "mixture"])
@pytest.mark.parametrize("of_samples", [False, True], ids=["text", "samples"])
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_each_sample_is_scored_as_if_alone(make_model, kind, of_samples, mixed, engine):
    model = build(make_model, kind, of_samples, mixed, engine)
    start = model.model.start
    scores = model.score(SAMPLES)
    assert model.model.start == start  # the model is left as it was
    assert len(scores) == len(SAMPLES)
    for i, sample in enumerate(sample.rstrip() for sample in SAMPLES):
        expected = nats_alone(model, sample)
        own = scores.token_nats[scores.targets(i)]
        assert own == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert scores.nats[i] == pytest.approx(sum(expected), rel=1e-4)
        charges = model.tokenizer.charges(sample) if sample else None
        spelling = charges.spelling_nats if charges else 0.0
        assert scores.spelling_nats[i] == pytest.approx(spelling)
        assert scores.unknown_characters[i] == (charges.unknown_characters if charges else 0)
        assert scores.characters[i] == len(sample)
        bits = (sum(expected) + spelling) / math.log(2) / (len(sample) + 1)
        assert scores.bits_per_character[i] == pytest.approx(bits, rel=1e-4)
        worst = scores.worst[i] - scores.borders[i]
        assert expected[worst] == pytest.approx(max(expected), rel=1e-4)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_places_are_where_tokens_begin(make_model, kind):
    model = build(make_model, kind, of_samples=True)
    scores = model.score(SAMPLES)
    for i, sample in enumerate(sample.rstrip() for sample in SAMPLES):
        places = scores.token_places[scores.targets(i)]
        ends = model.tokenizer.ends(sample) if sample else np.empty(0, int)
        assert places.tolist() == [0, *ends.tolist()]


@settings(
    deadline=None, max_examples=50, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(samples=st.lists(st.text("an \u00f6z", max_size=6), min_size=1, max_size=30))
def test_the_order_of_samples_does_not_matter(make_model, samples):
    model = build(make_model, "char", of_samples=True)
    found = model.score(samples)
    back = model.score(samples[::-1])
    assert found.bits_per_character == pytest.approx(back.bits_per_character[::-1], rel=1e-5)


def test_probabilities_of_all_short_samples_sum_to_one_as_they_grow(make_model):
    """What begins with a letter ends somewhere: the chain rule from begin to end."""
    tokenizer = CharTokenizer.train("\nab\n")
    model = make_model(tokenizer.size, init="normal", init_std=0.8)
    model.start = int(tokenizer.encode("\n")[0])
    with torch.no_grad():
        model.output.bias[model.start] += 4  # samples are short
        if tokenizer.unknown_id is not None:
            model.output.bias[tokenizer.unknown_id] -= 40
    model = TextModel(model, tokenizer, "none", Compute(ENGINES["builtin"]))
    samples, longer = [""], [""]
    for _ in range(9):
        longer = [sample + letter for sample in longer for letter in "ab"]
        samples += longer
    assert np.exp(-model.score(samples).nats).sum() == pytest.approx(1, abs=0.01)


def test_nothing_to_score(make_model):
    scores = build(make_model, "char", of_samples=True).score([])
    assert len(scores) == len(scores.bits_per_character) == len(scores.worst) == 0
    assert repr(scores) == "SampleScores(0 samples)"


def test_other_sequences_of_strings_are_samples_too(make_model):
    model = build(make_model, "char", of_samples=True)
    expected = model.score(["anna", "ben"]).nats
    for given_ in (("anna", "ben"), iter(["anna", "ben"]), np.array(["anna", "ben"])):
        assert (model.score(given_).nats == expected).all()


def test_bad_samples_are_one_clear_error(make_model):
    model = build(make_model, "char", of_samples=True)
    with pytest.raises(UsageError, match=r"^sample 2 has a line break; a sample is one line$"):
        model.score(["anna", "ben\nben"])
    with torch.no_grad():
        model.model.output.bias[0] = math.nan
    with pytest.raises(DivergenceError):
        model.score(["anna"])
    letters = CharTokenizer.train("only letters")
    other = TextModel(make_model(letters.size), letters, "none", model.compute)
    rule = r"^samples end with a line break, and this CharTokenizer\(\d+ tokens\) does not know "
    rule += r"it; rnnlab evaluate measures a whole text$"
    with pytest.raises(UsageError, match=rule):
        other.score(["only"])
