"""Sentences about comparisons: what was claimed, what was found, what could have been found."""

import math
from typing import Literal

from rnnlab.experiments.claims import TOLERANT, ComparisonSettings
from rnnlab.experiments.comparison import ComparisonResult
from rnnlab.experiments.outcomes import OUTCOMES, Outcome
from rnnlab.experiments.statistics import LEVEL, POWER

LARGEST_DETECTABLE = 1000.0
"""A detectable difference above this is shown as `more than 1,000`."""

MOST_DECIMALS = 9
"""Of any figure, however small."""


def default_claim_text(settings: ComparisonSettings) -> str:
    """Say what a comparison claims, for a claim without a text."""
    name, unit = _name_and_unit(OUTCOMES[settings.outcome])
    against = settings.against
    other = f"that of {against}" if isinstance(against, str) else f"{against:g}{unit}"
    match settings.expect:
        case "different":
            statement = f"different from {other}"
        case "equivalent":
            statement = f"equivalent to {other} within {_margin(settings)}"
        case _ if settings.has_margin:
            statement = f"{settings.expect} than {other} by more than {_margin(settings)}"
        case _:
            statement = f"{settings.expect} than {other}"
    return f"{settings.variant}: {name} is {statement}."


def largest_shown(digits: int) -> tuple[float, str]:
    """Return the largest figure that is written out, and the words for it.

    digits: decimals of the figure; speeds have none, and may be much larger than other figures.
    """
    return (1e7, "10⁷") if digits else (1e14, "10¹⁴")


def describe_comparison(result: ComparisonResult) -> str:
    """Describe the result of a comparison: figures, evidence, conclusion, and reasons for doubt."""
    settings, outcome = result.settings, OUTCOMES[result.settings.outcome]
    name, unit = _name_and_unit(outcome)
    about = f"{settings.variant}: {name}"
    if result.mean is None or result.mean_against is None:
        why = result.left_out or f"a ratio to {settings.against} is not defined"
        return f"{about} cannot be compared with {settings.against}: {why}."
    mean, other = (
        f"{_figure(value, _decimals(value, outcome.digits))}{unit}"
        for value in (result.mean, result.mean_against)
    )
    fixed = not isinstance(settings.against, str)
    other = f"a fixed value of {other}" if fixed else f"{other} for {settings.against}"
    figures = f"{about} {mean}, against {other}"
    if result.interval is None:
        lacks = result.lacks or f"one {result.unit} is not enough for a test"
        sentences = f"{figures}. {lacks[0].upper()}{lacks[1:]}."
    else:
        conclusion = _conclusion(result)
        if result.about:
            conclusion = f"on {result.about}: {conclusion}"
        sentences = f"{figures}: {_evidence(result)}. {conclusion[0].upper()}{conclusion[1:]}."
    if result.pairs == 2:
        sentences += (
            f" With two {result.unit}s the test relies entirely on the assumption that differences "
            "are normally distributed."
        )
    if result.left_out:
        sentences += f" {result.left_out}."
    return sentences


def _evidence(result: ComparisonResult) -> str:
    assert result.interval
    assert result.estimate is not None
    assert result.adjusted_p is not None
    low, high = result.interval
    numbers = (result.estimate, low, high)
    is_ratio, outcome = result.settings.is_ratio, OUTCOMES[result.settings.outcome]
    digits = _decimals((high - low) / 2, 2 if is_ratio else outcome.digits)
    estimate, low_end, high_end = (_figure(n, digits, "" if is_ratio else "+") for n in numbers)
    size = result.effect_size
    effect = "" if size is None else f"effect size {size:z,.1f}, "
    return (
        f"{_kind(result.settings)} {estimate} (95% interval {low_end} to {high_end}, "
        f"{_pairs(result)}, {effect}Holm-adjusted {p_words(result.adjusted_p)})"
    )


def _pairs(result: ComparisonResult) -> str:
    """Return `6 seeds`, or `3 texts, 18 pairs`."""
    if result.over:
        return f"{result.over}, {result.pairs} pairs"
    return f"{result.pairs} {result.unit}s"


def _conclusion(result: ComparisonResult) -> str:
    settings, expect = result.settings, result.settings.expect
    if result.survivors:
        return "not tested: runs diverged, and the remaining ones are a biased sample"
    if result.verdict == "not shown":
        return _not_shown(result)
    if expect == "different":
        return f"shown to be {_direction(result)}"
    if result.verdict == "supported":
        return f"{statement(settings)}, as claimed"
    if expect in TOLERANT:
        return f"{_direction(result)} by more than {_margin(settings)}, contrary to the claim"
    if settings.has_margin:
        return f"not {statement(settings)}, contrary to the claim"
    return f"{_direction(result)}, contrary to the claim"


def _not_shown(result: ComparisonResult) -> str:
    """Say that nothing is shown, and what such an experiment shows with 80% power."""
    settings, kind = result.settings, _kind(result.settings)
    excluding = settings.expect.startswith("not ")
    undecided = f"not shown to be {statement(settings)}"
    if excluding:
        undecided = f"it remains open whether it is {statement(settings).removeprefix('not ')}"
    elif not settings.has_margin:
        undecided = "no difference is shown"
    if (result.p_value or 0) <= LEVEL:  # the interval alone would show it
        undecided += " after Holm's correction"
    if result.detectable is None:
        alike = "everywhere" if result.over else f"for every {result.unit}"
        return f"{undecided}; the {kind} is the same {alike}"
    size = figure_of_difference(settings, result.detectable)
    power = f"With this spread, {POWER:.0%} of such experiments"
    if settings.expect in TOLERANT:
        would = "rule it out" if excluding else "show it"
        return f"{undecided}. {power} with two equal variants would {would} with a margin of {size}"
    if settings.has_margin:
        return f"{undecided}. {power} would show it if the true {kind} were {size}"
    return f"{undecided}. {power} would show a true {kind} of {size}"


def statement(settings: ComparisonSettings) -> str:
    """`higher`, `higher by more than 0.05`, `not higher by more …` or `equivalent within 0.05`."""
    if settings.expect == "equivalent":
        return f"equivalent within {_margin(settings)}"
    return settings.expect + (f" by more than {_margin(settings)}" if settings.has_margin else "")


def _margin(settings: ComparisonSettings) -> str:
    return f"{'a factor of ' if settings.is_ratio else ''}{settings.margin:g}"


def _kind(settings: ComparisonSettings) -> str:
    return "ratio" if settings.is_ratio else "difference"


def figure_of_difference(settings: ComparisonSettings, value: float) -> str:
    """Format a difference or ratio that could be shown.

    Two digits: the spread behind it is itself an estimate from a few pairs.
    """
    if value >= LARGEST_DETECTABLE:
        return f"more than {LARGEST_DETECTABLE:,.0f}"
    if settings.is_ratio and value < 10:
        return _figure(value, _decimals(value - 1, 0))
    return _figure(float(f"{value:.2g}"), _decimals(value, 0))


def _direction(result: ComparisonResult) -> str:
    assert result.estimate is not None
    neutral = 1.0 if result.settings.is_ratio else 0.0
    return "higher" if result.estimate > neutral else "lower"


def _name_and_unit(outcome: Outcome) -> tuple[str, str]:
    """Split `training [s]` into `training time` and ` s`; put what follows a comma in brackets."""
    name, _, unit = outcome.label.partition(":")[0].partition(" [")
    head, comma, tail = name.partition(", ")
    if comma:
        name = f"{head} ({tail})"
    if unit == "s]":
        name = f"{name} time"
    return name, f" {unit.rstrip(']')}" if unit else ""


def _decimals(size: float, least: int) -> int:
    """Return the decimals that show two digits of a number of this size, at least `least`."""
    if size == 0 or not math.isfinite(size):
        return least
    return min(MOST_DECIMALS, max(least, 1 - math.floor(math.log10(abs(size)))))


def _figure(value: float, digits: int, sign: Literal["+", ""] = "") -> str:
    """Format a number; `sign` is put in front of a positive one."""
    largest, power = largest_shown(digits)
    if abs(value) < largest:
        return f"{value:{sign},.{digits}f}"
    return f"over {power}" if value > 0 else f"under -{power}"


def p_words(p: float) -> str:
    """Format a p value, with three digits near 0.05 to show on which side it is."""
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {p:.{1 if p < 0.001 else 3 if 0.01 < p < 0.1 else 2}g}"
