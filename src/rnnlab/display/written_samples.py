"""Prints samples that a model writes, and how many of them are not new."""

import json
import sys
from contextlib import suppress
from typing import Any

from rnnlab.config import GenerationSettings
from rnnlab.console import counted, notice
from rnnlab.data.labelled_tokenizer import FIRST_LABEL, LABELS, label_character, labels_of
from rnnlab.data.samples import samples_of, shown
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
    label: str = "",
    unique: bool = False,
    novel: bool = False,
    as_json: bool = False,
    separator: str = "\n",
) -> None:
    """Print `count` samples with a separator in between; see `lm.written_samples.write_samples`.

    A line break or NUL follows the last one, too; after another separator a line break ends it all.

    Documents, which have several lines, each follow a line such as `--- 2 of 20` instead.

    novel: leave out those that the training text has. Without it, a notice says how many of those
    printed it has, if it is at hand.
    as_json: print objects with text, nats of the text and its end, number, and whether it ended.

    Raises CorpusError or UsageError if `novel` needs a training text that is not available.
    """
    for about_prefix in model.read_prefix(prefix, label)[2] if prefix else ():
        notice(about_prefix)
    known = _training_samples(model) if novel else set[str]()
    scorer = model.scorer() if as_json else None
    written = list[str]()
    is_end = separator in ("\n", "\0")
    for sample in write_samples(
        model, count, settings, prefix=prefix, label=label, unique=unique, known=known
    ):
        written.append(sample.shown)
        line = sample.text if label else sample.shown
        if model.of_documents and separator == "\n":
            line = f"--- {len(written)} of {count}\n{line}"
        if scorer:
            nats = float(scorer.score([labelled(model, sample.label, sample.text)]).nats[0])
            row: dict[str, Any] = {"label": sample.label} if sample.label else {}
            row |= {
                "text": sample.text, "nats": round(nats, DIGITS), "seed": settings.seed,
                "number": sample.number, "has_ended": sample.has_ended,
            }  # fmt: skip
            line = json.dumps(row, ensure_ascii=False)
        before = "" if is_end or len(written) == 1 else separator
        sys.stdout.write(before + line + (separator if is_end else ""))
        sys.stdout.flush()
    if written and not is_end:
        sys.stdout.write("\n")
        sys.stdout.flush()
    if len(written) < count:
        some = counted(len(written), "sample")
        few = "few others match, or " if settings.matching else ""
        notice(f"only {some} of {count:,}: {few}the model kept writing others again")
    if not novel:
        with suppress(RnnlabError):  # the training text is not at hand
            known = _training_samples(model)
    if not novel and (copies := sum(sample in known for sample in written)):
        notice(f"{copies / len(written):.0%} of these samples are in the training text")


def _training_samples(model: TextModel) -> set[str]:
    """Return the training samples as `WrittenSample.shown`; of a long text, those at its end."""
    dataset = training_data(model)
    names = labels_of(model.tokenizer)
    samples = samples_of([dataset.splits["train"].end])
    return {
        LABELS.sub(lambda found: f"{names[ord(found[0]) - FIRST_LABEL]}\t", sample)
        for sample in (map(shown, samples) if model.of_documents else samples)
    }


def labelled(model: TextModel, label: str, text: str) -> str:
    """Return a sample as one string with the character of its label, if it has one."""
    return label_character(labels_of(model.tokenizer).index(label)) + text if label else text
