"""Which texts an experiment is about, in the words of its protocol: texts, splits, folds, seeds."""

from collections.abc import Callable

from rnnlab.config import Settings
from rnnlab.config.folds import fold_numbers
from rnnlab.console import counted
from rnnlab.data.splits import SPLITS, is_held_out, outside_fold, parts_of_divided
from rnnlab.experiments.evidence import about_words, size_ratio, text_word
from rnnlab.experiments.records import Records
from rnnlab.experiments.texts import SEEDS_APART
from rnnlab.report.formatting import listed, span

TEXT_SETTINGS = (
    "corpus", "preprocessing", "corpus_limit", "tokenizer", "vocabulary", "min_frequency",
    "max_vocabulary", "bpe_size", "canaries",
)  # fmt: skip

Rows = list[tuple[str, str]]


def text_rows(records: Records, differing: Callable[..., str]) -> Rows:
    """Return which texts there are, and how they are split.

    differing: says in which of some settings variants differ.
    """
    plan, base = records.plan, records.plan.base
    if plan.texts and not plan.settings.folds:
        return [
            (f"Text {name!r}", f"{_text(on.plan.base)}{_checksums(on)}; {_split(on.plan.base)}")
            for name, on in records.on_texts.items()
        ]
    if plan.settings.folds:
        base = base.with_changes(fold="")
    return [
        ("Text", _text(base) + differing(records, *TEXT_SETTINGS) + _checksums(records)),
        ("Split", _split(plan.base) + differing(records, "split") + _sizes(records)),
    ]


def seed_words(records: Records) -> str:
    """Return the seeds of every variant."""
    plan = records.plan
    words = f"{span(plan.settings.seeds)}, the same for every variant"
    if plan.texts:
        words += (
            f"; from one {text_word(plan)} to the next {SEEDS_APART:,} is added to each, so that "
            "no two share their initial weights"
        )
    return words


def scope_rows(records: Records) -> Rows:
    """Return what the verdicts are about, and by which test."""
    plan = records.plan
    if not plan.texts:
        return [("One text", _one_text(records))]
    count, what = len(plan.texts), text_word(plan)
    alike = plan.scope == "texts like these"
    if not alike:
        test = (
            f"a t test of the mean over the {count} {what}s, whose error is that of the seeds "
            "within each (Welch-Satterthwaite); it says nothing about others"
        )
    elif plan.settings.folds:
        test = (
            f"a corrected resampled t test over the means of the {count} folds (Nadeau and Bengio "
            f"2003), with {size_ratio(plan):.3g} for the size of a test text over that of its "
            "training text: training texts overlap, and an ordinary t test would be too lenient. "
            "All folds are of one text"
        )
    else:
        test = (
            f"a t test over the means of the {count} texts, which are taken for a random sample of "
            "such texts; texts that share their words count as more than they are"
        )
    return [(f"{what}s".capitalize(), f"verdicts are about {about_words(plan)}, by {test}")]


def _one_text(records: Records) -> str:
    """Return what the spread over seeds does not cover."""
    split = held_out_split(records.plan.base)
    what = f"one {split or 'training'} text"
    sizes = {run.data.get("tokens", {}).get(split or "train") for run in records.runs if run.data}
    if len(sizes) == 1 and (size := sizes.pop()):
        what += f" of {size:,} tokens"
    return (
        f"all held-out figures are of {what}; intervals and verdicts over seeds say nothing about "
        "other texts, or how much the figures depend on the choice of this one"
    )


def held_out_split(base: Settings) -> str:
    """Return which split held-out figures are of; empty if nothing is held out."""
    validation, test = (is_held_out(base.data, split) for split in SPLITS[1:])
    return "test" if test else "validation" if validation else ""


def _text(base: Settings) -> str:
    data = base.data
    parts = [f"{listed(data.corpus)}, preprocessing {data.preprocessing}"]
    parts += [f"{split} split {listed(names)}" for split, names in data.held_out_names.items()]
    if data.corpus_limit:
        unit = "characters" if data.tokenizer == "bpe" else "tokens"
        unit = data.unit if data.of_samples else unit
        parts.append(f"the first {data.corpus_limit:,} {unit}")
    if data.canaries:
        parts.append(f"{counted(data.canaries, 'random code')} put into the training split")
    source = "training split" if data.vocabulary == "train" else "whole text"
    parts.append(f"{data.tokenizer} tokens, vocabulary of the {source}")
    return "; ".join(parts)


def _checksums(records: Records) -> str:
    found = {run.data.get("corpus_sha256") for run in records.runs} - {None, ""}
    return f"; SHA-256 {listed(sorted(map(str, found)))}" if found else ""


def _split(base: Settings) -> str:
    data = base.data
    parts = parts_of_divided(data.split, data.held_out_names)
    of: str = data.unit
    if sum(parts) > 1 + 1e-6:
        sizes = [f"{int(part):,}" for part in parts]
        unit = of if data.of_samples else "characters"
    else:
        sizes, unit = [f"{100 * part:.4g}" for part in parts], f"percent of the {of}"
    how = "contiguous"
    if data.fold:
        _, count = fold_numbers(data.fold)
        if data.of_samples:
            order = "in the order of the file"
            if data.split_order == "shuffled":
                order = f"shuffled (split_seed {data.split_seed}), equal ones in one part"
            return f"{of} {order}, in {count} parts, each the test text of its own runs"
        train, validation, _ = outside_fold(data.split, data.held_out_names)
        return (
            f"{count} parts, each the test text of its own runs; of the rest, in the order of a "
            f"circle, training {100 * train:.4g} and validation {100 * validation:.4g} percent. "
            "Where the end of the text meets its beginning the state is reset, and no example of "
            "sequential batches reaches across"
        )
    if data.of_samples:
        how = f"{of} in the order of the file, held-out ones that came before left out"
        if data.split_order == "shuffled":
            how = f"{of} shuffled (split_seed {data.split_seed}), equal ones in one part"
    named = zip(SPLITS, ("training", *SPLITS[1:]), sizes, strict=True)
    cut = [f"{name} {size}" for split, name, size in named if split not in data.held_out_names]
    own = [f"; {split}: a text of its own" for split in data.held_out_names]
    return f"{how}, {', '.join(cut)} {unit}{''.join(own)}"


def _sizes(records: Records) -> str:
    """Return the tokens of each split, if all runs have the same."""
    found = {tuple(run.data.get("tokens", {}).items()) for run in records.runs} - {()}
    if len(found) != 1:
        return ""
    (sizes,) = found
    return f"; in tokens: {listed([f'{name} {size:,}' for name, size in sizes])}"
