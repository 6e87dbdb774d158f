"""Which label a sample has, by Bayes' rule from a model of labelled samples.

    p(l | x) ∝ (s_l p(x | l))^(1/τ)        p(x | l) = Π_t p(x_t | start l x_1 .. x_(t-1))

where the last factor is that of the end, and s_l is the share of label l in the training samples.
τ is fitted to labelled samples that the model has not learned from, so that probabilities are
calibrated: it minimises the mean of -ln p(label | x).

Source: for τ, Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2.

Legend: N samples, L labels.
"""

from collections.abc import Sequence

import numpy as np

from rnnlab.data.labelled_tokenizer import LabelledTokenizer, label_character, without_labels
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats
from rnnlab.lm.text_model import TextModel

LARGEST_LOG_TEMPERATURE = 4.0


class Classifier:
    """Tells labels with a model."""

    def __init__(self, model: TextModel, temperature: float = 1.0) -> None:
        """Temperature: τ. Raises UsageError if the model's samples have no labels."""
        if not isinstance(model.tokenizer, LabelledTokenizer):
            raise UsageError(
                "classifying needs a model of labelled samples (rnnlab train --label-column)"
            )
        self.labels = model.tokenizer.labels
        self.log_shares = log_shares(list(model.tokenizer.counts.values()))
        self.temperature = temperature
        self._scorer = model.scorer()

    def log_scores(self, samples: Sequence[str]) -> Floats:
        """Return ln (s_l p(x | l)), (N, L)."""
        columns = []
        plain = [without_labels(sample) for sample in samples]
        for number, share in enumerate(self.log_shares):
            scores = self._scorer.score([label_character(number) + text for text in plain])
            of_labels = scores.token_nats[scores.borders[:-1]]
            columns.append(share - (scores.nats - of_labels))
        return np.stack(columns, 1)

    def probabilities(self, samples: Sequence[str]) -> Floats:
        """Return p(l | x), (N, L); raises DivergenceError if the model's output is NaN."""
        return calibrated(self.log_scores(samples), self.temperature)


def log_shares(counts: Sequence[int]) -> Floats:
    """Return the logarithms of shares (L,); -inf for a label that was never seen."""
    with np.errstate(divide="ignore"):
        found: Floats = np.log(np.asarray(counts, float) / sum(counts))
    return found


def calibrated(log_scores: Floats, temperature: float) -> Floats:
    """Return probabilities (N, L) of log scores (N, L), each divided by τ."""
    scaled = log_scores / temperature
    scaled = np.exp(scaled - scaled.max(1, keepdims=True))
    found: Floats = scaled / scaled.sum(1, keepdims=True)
    return found


def mean_nats(probabilities: Floats, targets: Ids) -> float:
    """Return the mean of -ln p of the right labels (N,)."""
    p = probabilities[np.arange(len(targets)), targets]
    with np.errstate(divide="ignore"):
        return float(-np.log(p).mean())


def fit_temperature(log_scores: Floats, targets: Ids) -> float:
    """Return τ for samples with these log scores (N, L) and right labels (N,)."""
    from scipy.optimize import minimize_scalar  # takes half a second

    known = np.isfinite(log_scores[np.arange(len(targets)), targets])
    if not known.any():
        return 1.0
    found = minimize_scalar(
        lambda x: mean_nats(calibrated(log_scores[known], np.exp(x)), targets[known]),
        bounds=(-LARGEST_LOG_TEMPERATURE, LARGEST_LOG_TEMPERATURE),
        method="bounded",
    )
    return float(np.exp(found.x))
