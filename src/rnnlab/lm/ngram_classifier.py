"""The classifier to compare with: naive Bayes over n-grams.

For each label an n-gram model of its training samples, with modified Kneser-Ney smoothing, over
characters; the label by Bayes' rule with the shares of the labels, as in `rnnlab.lm.classifier`.
The order is the one that classifies most of some other labelled samples rightly.

Legend: N samples, L labels.
"""

from collections.abc import Sequence

import numpy as np

from rnnlab.data.samples import as_text, start_of_samples
from rnnlab.data.tokenizer import CharTokenizer, Ids
from rnnlab.lm.classifier import log_shares
from rnnlab.lm.evaluate import Floats
from rnnlab.lm.ngram import NGram

MAX_ORDER = 6


class NGramClassifier:
    """n-gram models of all labels that training samples have."""

    def __init__(self, samples: Sequence[str], labels: Ids, count: int) -> None:
        """Learn from samples (N,) with labels (N,) from 0 to `count` - 1."""
        self.tokenizer = CharTokenizer.train(as_text(samples))
        self.start = start_of_samples(self.tokenizer)
        self.log_shares = log_shares(np.bincount(labels, minlength=count).tolist())
        self.models = []
        for label in range(count):
            own = [sample for sample, at in zip(samples, labels, strict=True) if at == label]
            ids = self.tokenizer.encode(as_text(own)) if own else np.array([self.start])
            self.models.append(NGram(ids, self.tokenizer.size, MAX_ORDER, self.start))
        self.order = 1

    def log_scores(self, samples: Sequence[str]) -> list[Floats]:
        """Return for each order ln (s_l p(x | l)), (N, L)."""
        ids = self.tokenizer.encode(as_text(samples))
        borders = np.flatnonzero(ids == self.start)[:-1]
        by_order: list[list[Floats]] = [[] for _ in range(MAX_ORDER)]
        for model, share in zip(self.models, self.log_shares, strict=True):
            found = [np.log(p) for p in model.probabilities(ids)]
            found += found[-1:] * (MAX_ORDER - len(found))  # of labels with short samples alone
            for columns, log_p in zip(by_order, found, strict=True):
                columns.append(share + np.add.reduceat(log_p, borders))
        return [np.stack(columns, 1) for columns in by_order]

    def choose_order(self, samples: Sequence[str], labels: Ids) -> None:
        """Take the order that gives most of these samples their labels."""
        right = [(scores.argmax(1) == labels).mean() for scores in self.log_scores(samples)]
        self.order = int(np.argmax(right)) + 1

    def choose(self, samples: Sequence[str]) -> Ids:
        """Return the most likely label of each sample, (N,)."""
        found: Ids = self.log_scores(samples)[self.order - 1].argmax(1)
        return found
