"""Samples that a model writes: many of them, each until its end."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count as count_from

from rnnlab.config import GenerationSettings
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.samples import SEPARATOR, shown
from rnnlab.errors import UsageError
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.text_model import TextModel

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
    """False: it was cut off after `length` tokens."""

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
    for first in count_from(0, BATCH):
        size = min(BATCH, count * MOST_TRIES - first) if unique or known else count - first
        if size <= 0:
            return
        for sample in _batch(model, settings, (prefix, label, stop), first, min(size, BATCH)):
            is_wanted = sample.shown not in left_out and not (unique and sample.shown in written)
            written.add(sample.shown)
            if is_wanted:
                yield sample
                yielded += 1
            if yielded == count:
                return


def _batch(
    model: TextModel, settings: GenerationSettings, how: tuple[str, str, str], first: int, size: int
) -> Iterator[WrittenSample]:
    prefix, label, stop = how
    text, ids, _ = model.read_prefix(prefix, label)
    texts, open_rows = [""] * size, set(range(size))
    decoders = [model.tokenizer.stream() for _ in range(size)]
    rows = generate_ids(
        model.model, model.compute, [ids] * size, settings, model.tokenizer.unknown_id,
        model.mixture, first,
    )  # fmt: skip
    for tokens in rows:
        for row in list(open_rows):
            if (token := tokens[row]) is not None:
                texts[row] += decoders[row](token)
                if stop in texts[row]:
                    open_rows.remove(row)
        if not open_rows:
            break
    for row, more in enumerate(texts):
        own, end, _ = more.partition(stop)
        own = shown(own) if model.of_documents else own
        chosen, tab, rest = own.partition("\t")
        if tab and not label and labels_of(model.tokenizer):
            yield WrittenSample(chosen, rest, first + row, bool(end))
        else:
            yield WrittenSample(label, text + own, first + row, bool(end))
