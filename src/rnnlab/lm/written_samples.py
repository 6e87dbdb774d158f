"""Samples that a model writes: many of them, each until its end."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count as count_from

from rnnlab.config import GenerationSettings
from rnnlab.data.samples import SEPARATOR
from rnnlab.errors import UsageError
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.writing import Rows

BATCH = 64
"""Samples that are written at once; each is the same in any batch."""

MOST_TRIES = 20
"""So many samples are written for each that is asked for, where some are not wanted."""


@dataclass(frozen=True)
class WrittenSample:
    """A sample, and how it came about."""

    label: str
    """"" if the model's samples have none."""
    text: str
    """With its prefix, without its end."""
    number: int
    """From 0 up. Model, prefix, seed and number decide the text."""
    has_ended: bool
    """False: it was cut off after `length` tokens. A sample that matches a regular expression has
    ended, too, where nothing can follow."""

    @property
    def shown(self) -> str:
        """The label, a tab and the text, or the text alone."""
        return f"{self.label}\t{self.text}" if self.label else self.text


def write_samples(
    model: TextModel,
    count: int,
    settings: GenerationSettings,
    *,
    prefix: str = "",
    label: str = "",
    stop: str = SEPARATOR,
    unique: bool = False,
    known: Collection[str] = (),
) -> Iterator[WrittenSample]:
    """Yield samples, each with the prefix, up to the first `stop` in what follows it.

    settings: with `stop`, further texts that end a sample; with `matching`, all of it matches.
    label: of all of them; "": the model chooses one for each, if its samples have labels.
    unique: leave out those that were written before. known: leave out these, as `shown`.
    At most MOST_TRIES samples are written for each that is asked for, so there may be fewer.

    Raises UsageError for a beam search or greedy choice, which would write the same again and
    again; DivergenceError if the model's output is NaN or infinite.
    """
    if settings.beam_width or not settings.temperature:
        raise UsageError(
            "samples are drawn at random; they need a temperature above 0 and no beams"
        )
    written, yielded, left_out = set[str](), 0, set(known)
    text, ids, _ = model.read_prefix(prefix, label)
    stops = model.writer.stops(settings, stop)
    matching = model.writer.matching([text], settings, stops, has_label=bool(label))
    for first in count_from(0, BATCH):
        size = min(BATCH, count * MOST_TRIES - first) if unique or known else count - first
        if size <= 0:
            return
        rows = model.writer.rows([ids] * min(size, BATCH), settings, stops, first, matching)
        for sample in _samples(rows, first, text, label):
            is_wanted = sample.shown not in left_out and not (unique and sample.shown in written)
            written.add(sample.shown)
            if is_wanted:
                yield sample
                yielded += 1
            if yielded == count:
                return


def _samples(rows: Rows, first: int, prefix: str, label: str) -> Iterator[WrittenSample]:
    """Yield the samples of a batch, when all are written."""
    continuations = ["".join(pieces) for pieces in zip(*rows.pieces(), strict=True)]
    for row, (own, written) in enumerate(zip(continuations, rows.texts, strict=True)):
        has_ended = written.has_stopped or not rows.is_full(row)
        chosen, tab, rest = own.partition("\t")
        if tab and written.has_label and not label:
            yield WrittenSample(chosen, rest, first + row, has_ended)
        else:
            yield WrittenSample(label, prefix + own, first + row, has_ended)
