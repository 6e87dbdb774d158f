"""Whether an experiment's outcomes can be measured and its variants compared."""

from collections.abc import Mapping, Sequence

from rnnlab.config import DataSettings, Settings
from rnnlab.data.splits import SPLITS, is_held_out
from rnnlab.errors import UsageError, unknown
from rnnlab.experiments.claims import ComparisonSettings
from rnnlab.experiments.settings import ExperimentSettings
from rnnlab.runs.effects import check_effects, without_effect

TEXT_SETTINGS = (
    "corpus", "validation_corpus", "test_corpus", "corpus_limit", "preprocessing", "unit",
    "column", "split", "fold", "split_at", "split_order", "split_seed",
)  # fmt: skip
"""Settings that decide which text is held out."""

TOKEN_SETTINGS = ("tokenizer", "bpe_size")
"""Settings that decide what a token is."""

HELD_OUT = (
    "held_out_bits_per_character",
    "best_held_out_bits_per_character",
    "validation_bits_per_character",
    "overfitting_bits_per_character",
)
"""Outcomes that are measured on the held-out text."""

DECISIVE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(HELD_OUT, TEXT_SETTINGS),
    "training_perplexity": (
        *TOKEN_SETTINGS, "min_frequency", "vocabulary", "corpus", "preprocessing", "canaries",
    ),
    "tokens_per_second": TOKEN_SETTINGS,
    "prediction_seconds": TOKEN_SETTINGS,
    "initial_gradient_decay": TOKEN_SETTINGS,
    "gradient_decay": TOKEN_SETTINGS,
}  # fmt: skip
"""Settings that must be equal for an outcome to be compared. Bits per character need the same text
and compare all tokenizers. Figures per token need the same tokens, and perplexity also the same
vocabulary."""


def check_settings_have_effect(
    settings: ExperimentSettings, by_text: Sequence[Mapping[str, Settings]]
) -> None:
    """Raise UsageError for settings that change nothing: of a variant, or of the base in all runs.

    by_text: all settings of each variant, on each text. Settings that are drawn are allowed to:
    which others are drawn with them is chance.
    """
    for variant in settings.variant:
        runs = [by_variant[variant.name] for by_variant in by_text]
        without = [without_effect(run, variant.change) for run in runs]
        useless_on_all = [name for name in without[0] if all(name in other for other in without)]
        check_effects(runs[0], useless_on_all, f"variant {variant.name!r}")
    given = [name for name in settings.base if name != "config"]
    useless = [without_effect(run, given) for own in by_text for run in own.values()]
    for name, fault in (useless[0] if useless else {}).items():
        if all(name in other for other in useless):
            raise UsageError(f"base: {fault}")


def measurable_outcomes(settings: ExperimentSettings, runs: Sequence[Settings]) -> tuple[str, ...]:
    """Return the outcomes that some run has; raise UsageError for others that the file names."""
    lacks = {
        name: min((missing_requirement(name, settings, run) for run in runs), key=bool)
        for name in settings.outcomes
    }
    named = lacks if "outcomes" in settings.model_fields_set else {}
    faults = [f"outcome {name!r} needs {lack}" for name, lack in named.items() if lack]
    if settings.search:
        name = settings.search.outcome
        if lack := missing_requirement(name, settings, runs[0]):
            faults.append(f"search: outcome {name!r} needs {lack}")
        if varied := [key for key in DECISIVE.get(name, ()) if key in settings.search.settings]:
            faults.append(f"search: {name} is not comparable between values of {', '.join(varied)}")
    if faults:
        raise UsageError("\n".join(faults))
    return tuple(name for name, lack in lacks.items() if not lack)


def missing_requirement(outcome: str, settings: ExperimentSettings, run: Settings) -> str:
    """Say what a run lacks for an outcome to be measured; empty if nothing."""
    validation, test = (is_held_out(run.data, split) for split in SPLITS[1:])
    match outcome:
        case "held_out_bits_per_character" | "best_held_out_bits_per_character":
            return "" if validation or test else "a validation or a test split"
        case "validation_bits_per_character" | "overfitting_bits_per_character":
            if not validation:
                return "a validation split"
            return "" if run.training.num_evaluations else "num_evaluations above 0"
        case "initial_gradient_decay" | "gradient_decay":
            return "" if settings.gradient_flow else "gradient_flow = true"
        case "prediction_seconds":
            return "" if settings.phrases else "phrases"
    return ""


def check_claims(settings: ExperimentSettings, by_variant: Mapping[str, Settings]) -> None:
    """Raise UsageError for comparisons that cannot be made; `by_variant` has all settings."""
    faults = [
        f"claim {i}, comparison {j}: {fault}"
        for i, claim in enumerate(settings.claim, 1)
        for j, comparison in enumerate(claim.comparison, 1)
        if (fault := reason_not_comparable(comparison, settings, by_variant))
    ]
    if faults:
        raise UsageError("\n".join(faults))


def reason_not_comparable(
    comparison: ComparisonSettings, settings: ExperimentSettings, by_variant: Mapping[str, Settings]
) -> str:
    """Say why two variants cannot be compared; empty if they can."""
    outcome = comparison.outcome
    names = [name for name in (comparison.variant, comparison.against) if isinstance(name, str)]
    for name in names:
        if name not in by_variant:
            return str(unknown("variant", name, by_variant))
    if comparison.variant == comparison.against:
        return f"variant {comparison.variant!r} against itself"
    for name in names:
        if lack := missing_requirement(outcome, settings, by_variant[name]):
            return f"outcome {outcome!r} needs {lack}"
    if len(names) == 2:
        one, other = (by_variant[name].data for name in names)
        if differ := decisive_differences(outcome, one, other):
            how = "on different texts" if outcome in HELD_OUT else "in different units"
            return f"{names[0]!r} and {names[1]!r} are measured {how} ({', '.join(differ)})"
    return ""


def decisive_differences(outcome: str, one: DataSettings, other: DataSettings) -> list[str]:
    """Return the settings because of which an outcome of two runs is not comparable."""
    decisive = DECISIVE.get(outcome, ())
    if one.corpus_limit and outcome in HELD_OUT:
        decisive = (*decisive, *TOKEN_SETTINGS)  # the limit counts tokens
    return [name for name in decisive if getattr(one, name) != getattr(other, name)]
