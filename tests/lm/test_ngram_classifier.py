"""Naive Bayes over n-grams, against one n-gram model for each label and sample."""

import numpy as np
import pytest

from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.lm.ngram import NGram
from rnnlab.lm.ngram_classifier import MAX_ORDER, NGramClassifier

RNG = np.random.default_rng(0)
SAMPLES = ["".join(RNG.choice(list("abc" if n % 3 else "bcd"), 1 + n % 5)) for n in range(90)]
LABELS = np.array([int(n % 3 > 0) for n in range(90)])


def test_log_scores_are_those_of_each_sample_alone() -> None:
    found = NGramClassifier(SAMPLES, LABELS, 2).log_scores(["abc", "d", "bcbcbcb", "xx"])
    tokenizer = CharTokenizer.train("\n" + "\n".join(SAMPLES) + "\n")
    start = int(tokenizer.encode("\n")[0])
    for label in (0, 1):
        own = [sample for sample, at in zip(SAMPLES, LABELS, strict=True) if at == label]
        ids = tokenizer.encode("\n" + "\n".join(own) + "\n")
        model = NGram(ids, tokenizer.size, MAX_ORDER, start)
        for i, sample in enumerate(["abc", "d", "bcbcbcb", "xx"]):
            nats = model.nats(tokenizer.encode(f"\n{sample}\n"))
            expected = np.log(len(own) / 90) - np.array(nats)
            for order in range(len(nats)):
                assert found[order][i, label] == pytest.approx(expected[order])


def test_the_order_is_the_one_that_is_right_most_often() -> None:
    classifier = NGramClassifier(SAMPLES[:60], LABELS[:60], 2)
    classifier.choose_order(SAMPLES[60:], LABELS[60:])
    right = [(s.argmax(1) == LABELS[60:]).mean() for s in classifier.log_scores(SAMPLES[60:])]
    assert right[classifier.order - 1] == max(right)
    assert (classifier.choose(SAMPLES[60:]) == LABELS[60:]).mean() == max(right) > 0.8


def test_a_label_without_samples_is_never_chosen() -> None:
    assert set(NGramClassifier(SAMPLES, LABELS, 3).choose(["a", "d", "zz"])) <= {0, 1}
