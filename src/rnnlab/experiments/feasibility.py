"""What of an experiment can be measured, and which of its variants can be compared."""

from collections.abc import Mapping, Sequence

from rnnlab.config import Settings
from rnnlab.errors import UsageError, unknown
from rnnlab.experiments.settings import ComparisonSettings, ExperimentSettings

TEXT = ("corpus", "corpus_limit", "preprocessing", "split")
"""Settings that decide which text is held out."""

HELD_OUT = (
    "held_out_bits_per_character",
    "best_held_out_bits_per_character",
    "validation_bits_per_character",
    "overfitting_bits_per_character",
)
"""Outcomes that are measured on it."""


def measurable_outcomes(settings: ExperimentSettings, runs: Sequence[Settings]) -> tuple[str, ...]:
    """The outcomes that any of the runs has; raises UsageError for others that are asked for."""
    lacks = {
        name: min((lacking(name, settings, run) for run in runs), key=bool)
        for name in settings.outcomes
    }
    faults = [f"outcome {name!r} needs {lack}" for name, lack in lacks.items() if lack]
    if "outcomes" not in settings.model_fields_set:
        faults = []
    if settings.search and (lack := lacking(settings.search.outcome, settings, runs[0])):
        faults.append(f"search: outcome {settings.search.outcome!r} needs {lack}")
    if faults:
        raise UsageError("\n".join(faults))
    return tuple(name for name, lack in lacks.items() if not lack)


def lacking(outcome: str, settings: ExperimentSettings, run: Settings) -> str:
    """What there must be for an outcome of a run to be measured; empty where it is there."""
    _, validation, test = run.data.split
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


def check_claims(settings: ExperimentSettings, made: Mapping[str, Settings]) -> None:
    """Raise UsageError for the comparisons that cannot be made; `made`: settings by variant."""
    faults = [
        f"claim {i}, comparison {j}: {fault}"
        for i, claim in enumerate(settings.claim, 1)
        for j, comparison in enumerate(claim.comparison, 1)
        if (fault := why_not(comparison, settings, made))
    ]
    if faults:
        raise UsageError("\n".join(faults))


def why_not(
    comparison: ComparisonSettings, settings: ExperimentSettings, made: Mapping[str, Settings]
) -> str:
    """Why two variants cannot be compared; empty where they can."""
    outcome = comparison.outcome
    names = [name for name in (comparison.variant, comparison.against) if isinstance(name, str)]
    for name in names:
        if name not in made:
            return str(unknown("variant", name, made))
    if comparison.variant == comparison.against:
        return f"variant {comparison.variant!r} against itself"
    for name in names:
        if lack := lacking(outcome, settings, made[name]):
            return f"outcome {outcome!r} needs {lack}"
    if outcome in HELD_OUT and len(names) == 2:
        one, other = (made[name].data for name in names)
        # The limit counts tokens.
        decisive = (*TEXT, "tokenizer") if one.corpus_limit else TEXT
        if differ := [name for name in decisive if getattr(one, name) != getattr(other, name)]:
            return (
                f"{names[0]!r} and {names[1]!r} are measured on different texts "
                f"({', '.join(differ)})"
            )
    return ""
