"""Samples as they are read: lines, files, or columns of a table, with or without labels.

Until all labels are known, a labelled sample is its label, a separator and its text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rnnlab.config import DataSettings
from rnnlab.data.labelled_tokenizer import LABELS, MOST_LABELS, label_character
from rnnlab.data.records import is_table, records_of
from rnnlab.data.samples import document, prepared, samples_of
from rnnlab.data.texts import Source
from rnnlab.errors import CorpusError

AFTER_LABEL = "\x1f"
"""The unit separator of ASCII."""

REPLACEMENT = "\ufffd"


def read_samples(
    source: Source, pieces: Iterable[str], settings: DataSettings, rule: str
) -> Iterator[str]:
    """Yield the samples of a text in pieces, each under a text rule.

    Raises UsageError and CorpusError as `records_of` and `samples_of` do, CorpusError also for a
    label that is empty.
    """
    with_lines, origin = settings.unit == "documents", source.origin
    if not settings.column:
        if with_lines:
            return prepared(iter([document(pieces, origin)]), rule, origin)
        return samples_of(pieces, rule)
    columns = [settings.column, *filter(None, [settings.label_column])]
    rows = records_of(source.name, pieces, columns, origin, "\n" if with_lines else " ")
    if settings.label_column:
        return _labelled(rows, origin, rule)
    return prepared((text for (text,) in rows), rule, origin)


def _labelled(rows: Iterable[Sequence[str]], origin: str, rule: str) -> Iterator[str]:
    for number, (text, label) in enumerate(rows, start=1):
        label = " ".join(label.replace(AFTER_LABEL, " ").split())
        if not label:
            raise CorpusError(f"{origin}, record {number:,}: the label is empty")
        for sample in prepared([text], rule, f"{origin}, record {number:,}"):
            yield f"{label}{AFTER_LABEL}{sample}"


def lines_or_records(name: str, settings: DataSettings) -> DataSettings:
    """Return settings with which another file is read: its lines, unless it is a table."""
    if is_table(name):
        return settings
    return settings.model_copy(update={"column": "", "label_column": ""})


def noting_labels(samples: Iterable[str], labels: list[str]) -> Iterator[str]:
    """Yield samples, and append the label of each."""
    known: dict[str, str] = {}
    for sample in samples:
        label = sample.partition(AFTER_LABEL)[0]
        labels.append(known.setdefault(label, label))  # one string for each label
        yield sample


def count_labels(
    labels: Sequence[str], in_training: npt.NDArray[np.bool_], corpus: str
) -> dict[str, int]:
    """Return how many training samples have each label of the corpus, in the order of their names.

    Raises CorpusError for labels that are all alike, or too many.
    """
    names = sorted(set(labels))
    if len(names) < 2:
        raise CorpusError(
            f"corpus {corpus!r}: all samples have the label {names[0]!r}; there is nothing to tell "
            "apart"
        )
    if len(names) > MOST_LABELS:
        raise CorpusError(
            f"corpus {corpus!r} has {len(names):,} different labels; there may be {MOST_LABELS:,}"
        )
    counts = Counter(label for label, own in zip(labels, in_training, strict=True) if own)
    return {name: counts[name] for name in names}


class Joined:
    """Makes one string of a sample and its label: a character, and the text."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._characters = {label: label_character(i) for i, label in enumerate(labels)}

    @property
    def has_labels(self) -> bool:
        """Whether there are labels at all."""
        return bool(self._characters)

    def __call__(self, sample: str) -> str:
        """Return the string; without labels, the sample itself.

        Raises CorpusError for another label.
        """
        if not self._characters:
            return sample
        label, _, text = sample.partition(AFTER_LABEL)
        if label not in self._characters:
            raise CorpusError(f"label {label!r} is none of {', '.join(self._characters)}")
        return self._characters[label] + LABELS.sub(REPLACEMENT, text)
