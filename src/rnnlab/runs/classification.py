"""How well a model of labelled samples tells labels, next to naive Bayes over n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnlab.data.dataset import Dataset
from rnnlab.data.labelled_tokenizer import FIRST_LABEL, LABELS, without_labels
from rnnlab.data.samples import samples_of
from rnnlab.data.tokenizer import Ids
from rnnlab.errors import UsageError
from rnnlab.lm.classifier import Classifier, fit_temperature, mean_nats
from rnnlab.lm.evaluate import Floats
from rnnlab.lm.ngram_classifier import NGramClassifier
from rnnlab.lm.text_model import TextModel

Z = 1.96
"""Of a 95% interval."""


@dataclass(frozen=True)
class Classification:
    """What was found for samples whose labels are known.

    Legend: N samples, L labels.
    """

    split: str
    labels: list[str]
    targets: Ids  # (N,)
    probabilities: Floats  # (N, L)
    temperature: float
    baseline: Ids  # (N,) what naive Bayes over n-grams chose
    baseline_order: int
    majority_share: float
    """Of the samples, how many have the label that is most frequent in training."""

    @property
    def chosen(self) -> Ids:
        """The most likely label of each sample, (N,)."""
        found: Ids = self.probabilities.argmax(1)
        return found

    @property
    def confusion(self) -> Ids:
        """How many samples of each label (row) were given each label (column), (L, L)."""
        table = np.zeros((len(self.labels), len(self.labels)), np.int64)
        np.add.at(table, (self.targets, self.chosen), 1)
        return table

    def lead(self) -> tuple[float, float]:
        """Return by how much the accuracy is ahead of the baseline's, and half of its 95% interval.

        From the samples of which only one of the two is right.
        """
        gains = (self.chosen == self.targets) * 1.0 - (self.baseline == self.targets)
        return float(gains.mean()), float(Z * gains.std() / np.sqrt(len(gains)))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, ready for JSON."""
        right = int((self.chosen == self.targets).sum())
        lead, half = self.lead()
        return {
            "split": self.split,
            "samples": len(self.targets),
            "labels": self.labels,
            "accuracy": share_with_interval(right, len(self.targets)),
            "nats_per_label": mean_nats(self.probabilities, self.targets),
            "temperature": self.temperature,
            "confusion": self.confusion.tolist(),
            "baselines": {
                "ngram": {
                    "order": self.baseline_order,
                    "accuracy": share_with_interval(
                        int((self.baseline == self.targets).sum()), len(self.targets)
                    ),
                },
                "most frequent label": {"accuracy": {"share": self.majority_share}},
            },
            "lead": {"share": lead, "low": lead - half, "high": lead + half},
        }


def share_with_interval(count: int, of: int) -> dict[str, float]:
    """Return a share with its 95% interval (Wilson 1927)."""
    from scipy.stats import binomtest  # takes a second

    interval = binomtest(count, of).proportion_ci(method="wilson")
    return {"share": count / of, "low": float(interval.low), "high": float(interval.high)}


def labelled_samples(text: str) -> tuple[list[str], Ids]:
    """Return the samples of a text without their labels, and the numbers of these.

    One that has lost its label, where a long text was cut, is left out.
    """
    samples = [sample for sample in samples_of([text]) if LABELS.match(sample)]
    numbers = [ord(sample[0]) - FIRST_LABEL for sample in samples]
    return [without_labels(sample) for sample in samples], np.array(numbers, np.int64)


def calibrated_classifier(model: TextModel, dataset: Dataset | None) -> Classifier:
    """Return a classifier with τ fitted to the validation samples; τ = 1 if there are none."""
    classifier = Classifier(model)
    if dataset and "validation" in dataset.splits:
        samples, targets = labelled_samples(dataset.splits["validation"].text)
        classifier.temperature = fit_temperature(classifier.log_scores(samples), targets)
    return classifier


def classify_held_out(model: TextModel, dataset: Dataset, split: str = "") -> Classification:
    """Classify a held-out split: the test split, or the validation split if there is no other.

    Raises UsageError if nothing is held out, or the model's samples have no labels.
    """
    classifier = calibrated_classifier(model, dataset)
    if not dataset.held_out:
        raise UsageError("nothing is held out; give a file to classify")
    split = split or dataset.held_out[-1]
    samples, targets = labelled_samples(dataset.splits[split].text)
    train, of_train = labelled_samples(dataset.splits["train"].end)
    baseline = NGramClassifier(train, of_train, len(classifier.labels))
    if "validation" in dataset.splits:
        baseline.choose_order(*labelled_samples(dataset.splits["validation"].text))
    majority = int(np.bincount(of_train).argmax())
    return Classification(
        split=split,
        labels=classifier.labels,
        targets=targets,
        probabilities=classifier.probabilities(samples),
        temperature=classifier.temperature,
        baseline=baseline.choose(samples),
        baseline_order=baseline.order,
        majority_share=float((targets == majority).mean()),
    )


def in_order(probabilities: Sequence[float], labels: Sequence[str]) -> dict[str, float]:
    """Return the labels with their probabilities, the most likely first."""
    pairs = sorted(zip(labels, probabilities, strict=True), key=lambda pair: -pair[1])
    return {label: float(p) for label, p in pairs}
