"""Settings that have no effect together with others; one that is given is refused.

Not refused are values that equal their defaults, since a settings file that is written by rnnlab
holds all settings, and a setting of a file or a recipe that flags or keywords make useless.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rnnlab.config import Settings
from rnnlab.config.validation import format_value
from rnnlab.data.corpus import has_several_texts
from rnnlab.data.named_corpora import NAMED, PYTHON_REFERENCE
from rnnlab.data.splits import SPLITS, is_held_out
from rnnlab.errors import UsageError


class Need(NamedTuple):
    """What a setting needs to have an effect."""

    holds: Callable[[Settings], bool]
    rule: str
    decided_by: str
    """The setting that decides it."""


LEARNED = Need(
    lambda s: (
        not s.training.start_from or s.training.extend_vocabulary or s.training.replace_vocabulary
    ),
    "a vocabulary that is learned: no start_from, extend_vocabulary or replace_vocabulary",
    "start_from",
)  # fmt: skip
LEARNED_VOCABULARY = Need(
    lambda s: s.data.tokenizer != "byte",
    "a tokenizer that learns its vocabulary: char, word or bpe", "tokenizer",
)  # fmt: skip
FILES = Need(
    lambda s: any(c not in ("auto", *NAMED, PYTHON_REFERENCE) for c in s.data.text_names),
    "a text file or standard input", "corpus",
)  # fmt: skip
STARTED = Need(lambda s: bool(s.training.start_from), "start_from", "start_from")
NOT_STARTED = Need(lambda s: not s.training.start_from, "random weights at the start", "start_from")
RUNNING_TEXT = Need(lambda s: s.data.unit == "text", "unit = 'text'", "unit")
OF_SAMPLES = Need(lambda s: s.data.of_samples, "unit = 'lines' or 'documents'", "unit")
SEVERAL_TEXTS = Need(
    lambda s: has_several_texts(s.data.corpus), "a corpus of several texts", "corpus"
)
CUT = Need(
    lambda s: len(s.data.held_out_names) < len(SPLITS[1:]),
    "a held-out split that is cut from the corpus", "test_corpus",
)  # fmt: skip
SHARES = Need(
    lambda s: s.data.split[0] < 1 or bool(s.data.fold),
    "a split by shares with something held out", "split",
)  # fmt: skip
TEXT_BEYOND = Need(
    lambda s: (
        s.data.split[0] != 1 or s.data.corpus_limit > 0 or bool(s.data.held_out_names)
        or bool(s.data.fold)
    ),
    "text beyond the training split", "split",
)  # fmt: skip
EVALUATIONS = Need(
    lambda s: s.training.num_evaluations > 0, "num_evaluations above 0", "num_evaluations"
)
ADAM = Need(
    lambda s: s.training.optimizer in ("adam", "adamw"),
    "optimizer = 'adam' or 'adamw'", "optimizer",
)  # fmt: skip
VALIDATION = Need(lambda s: is_held_out(s.data, "validation"), "a validation split", "split")
SAMPLES = Need(lambda s: s.training.sample_length > 0, "sample_length above 0", "sample_length")

NEEDS: dict[str, tuple[Need, ...]] = {
    "data_dir": (
        Need(
            lambda s: any(c in ("auto", *NAMED) for c in s.data.text_names),
            "a named corpus", "corpus",
        ),
    ),
    "errors": (FILES,),
    "encoding": (FILES,),
    "column": (OF_SAMPLES,),
    "label_column": (OF_SAMPLES, Need(lambda s: bool(s.data.column), "column", "column")),
    "min_frequency": (
        LEARNED,
        Need(lambda s: s.data.tokenizer == "word", "tokenizer = 'word'", "tokenizer"),
    ),
    "max_vocabulary": (
        LEARNED,
        Need(
            lambda s: s.data.tokenizer in ("char", "word"),
            "tokenizer = 'char' or 'word'", "tokenizer",
        ),
    ),
    "bpe_size": (
        LEARNED, Need(lambda s: s.data.tokenizer == "bpe", "tokenizer = 'bpe'", "tokenizer"),
    ),
    "vocabulary": (LEARNED, LEARNED_VOCABULARY, TEXT_BEYOND),
    "canaries": (
        RUNNING_TEXT,
        Need(
            lambda s: s.data.tokenizer != "word", "tokenizer = 'char', 'byte' or 'bpe'", "tokenizer"
        ),
        Need(
            lambda s: s.data.document_state == "carried", "document_state = 'carried'",
            "document_state",
        ),
    ),
    "split_order": (OF_SAMPLES,),
    "split_seed": (
        OF_SAMPLES,
        Need(
            lambda s: s.data.split_order == "shuffled", "split_order = 'shuffled'", "split_order",
        ),
    ),
    "split": (
        Need(lambda s: CUT.holds(s) or sum(s.data.split) > 1.5, CUT.rule, CUT.decided_by),
        Need(
            lambda s: not (s.data.fold and s.data.validation_corpus),
            "text to divide into train and validation", "validation_corpus",
        ),
    ),
    "split_at": (RUNNING_TEXT, SEVERAL_TEXTS, CUT, SHARES),
    "document_state": (RUNNING_TEXT, SEVERAL_TEXTS),
    "extend_vocabulary": (STARTED,),
    "replace_vocabulary": (STARTED,),
    "hidden_size": (
        Need(lambda s: not s.model.match_parameters, "no match_parameters", "match_parameters"),
    ),
    "match_parameters": (NOT_STARTED,),
    "init": (NOT_STARTED,),
    "output_scale": (NOT_STARTED,),
    "forget_bias": (NOT_STARTED,),
    "embedding_size": (
        Need(lambda s: s.model.input == "embedding", "input = 'embedding'", "input"),
    ),
    "init_std": (
        Need(lambda s: s.model.init == "normal", "init = 'normal'", "init"), NOT_STARTED,
    ),
    "beta1": (ADAM,),
    "beta2": (ADAM,),
    "validation_context": (EVALUATIONS, VALIDATION, RUNNING_TEXT),
    "patience": (EVALUATIONS, VALIDATION),
    "sample_prefix": (EVALUATIONS, SAMPLES),
    "sample_length": (
        Need(
            lambda s: not s.training.sample_length or EVALUATIONS.holds(s),
            EVALUATIONS.rule, EVALUATIONS.decided_by,
        ),
    ),
    "sample_temperature": (EVALUATIONS, SAMPLES),
}  # fmt: skip
"""By setting; the groups in `rnnlab.config` refuse other combinations themselves."""

DEFAULTS = Settings()


def without_effect(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """Return the settings among `names` that change nothing, each with the reason."""
    values, defaults, found = settings.flat(), DEFAULTS.flat(), dict[str, str]()
    for name in names:
        if values[name] == defaults[name]:
            continue
        for need in NEEDS.get(name, ()):
            if not need.holds(settings):
                decides = f"{need.decided_by} = {format_value(values[need.decided_by])}"
                found[name] = (
                    f"{name} = {format_value(values[name])} has no effect with {decides}; it needs "
                    f"{need.rule}"
                )
                break
    return found


def check_effects(
    settings: Settings, given: Iterable[str], where: str = "", instead: Settings | None = None
) -> None:
    """Raise UsageError if settings that were given change nothing, a line for each.

    instead: settings in which they may have their effect as well.
    """
    faults = without_effect(settings, given)
    if instead:
        faults = {name: faults[name] for name in without_effect(instead, faults)}
    if faults:
        start = f"{where}: " if where else ""
        raise UsageError("\n".join(f"{start}{fault}" for fault in faults.values()))


def effective(settings: Settings, before: Settings = DEFAULTS) -> Settings:
    """Return the settings in which those without effect have the value that they had before."""
    useless, values = without_effect(settings, settings.names()), before.flat()
    return settings.with_changes(**{name: values[name] for name in useless})
