"""Prints samples that a model writes, and how many of them are not new."""

import json
import sys

from rnnlab.config import GenerationSettings
from rnnlab.console import counted, notice
from rnnlab.data.samples import samples_of
from rnnlab.errors import RnnlabError
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.written_samples import write_samples
from rnnlab.runs.evaluation import training_data

DIGITS = 4


def print_samples(
    model: TextModel,
    count: int,
    settings: GenerationSettings,
    *,
    prefix: str = "",
    unique: bool = False,
    novel: bool = False,
    as_json: bool = False,
) -> None:
    """Print `count` samples, one a line; see `lm.written_samples.write_samples`.

    novel: leave out those that the training text has. Without it, a notice says how many of those
    printed it has, if it is at hand.
    as_json: print objects with text, nats of the text and its end, number, and whether it ended.

    Raises CorpusError or UsageError if `novel` needs a training text that is not available.
    """
    known = _training_samples(model, is_needed=novel)
    scorer = model.scorer() if as_json else None
    printed = copies = 0
    for sample in write_samples(
        model, count, settings, prefix=prefix, unique=unique, known=known if novel else ()
    ):
        printed += 1
        copies += sample.text in known
        line = sample.text
        if scorer:
            nats = float(scorer.score([sample.text]).nats[0])
            row = {
                "text": sample.text, "nats": round(nats, DIGITS), "seed": settings.seed,
                "number": sample.number, "has_ended": sample.has_ended,
            }  # fmt: skip
            line = json.dumps(row, ensure_ascii=False)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    if printed < count:
        notice(f"only {counted(printed, 'sample')} of {count:,}: the model kept writing others again")
    if known and not novel and printed:
        notice(f"{copies / printed:.0%} of these samples are in the training text")


def _training_samples(model: TextModel, *, is_needed: bool) -> set[str]:
    try:
        dataset = training_data(model)
    except RnnlabError:
        if is_needed:
            raise
        return set()
    return set(samples_of([dataset.splits["train"].end]))
