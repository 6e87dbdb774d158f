"""Comparisons in plain words: what was stated, what came out, and what would have been seen."""

import math
from typing import TYPE_CHECKING, Literal

from rnnlab.experiments.outcomes import OUTCOMES, Outcome
from rnnlab.experiments.settings import TOLERANT, ComparisonSettings
from rnnlab.experiments.statistics import LEVEL

if TYPE_CHECKING:
    from rnnlab.experiments.verdicts import Compared

OPPOSITE = {"lower": "higher", "higher": "lower"}

MOST = 1000.0
"""Above this, a difference that would have been seen is as good as none."""

MOST_DECIMALS = 9
"""Of a figure, however small."""


def stated(settings: ComparisonSettings) -> str:
    """What a comparison states: the sentence of a claim that has none of its own."""
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
    return f"{settings.variant}: {name} {statement}."


def limit(digits: int) -> tuple[float, str]:
    """Beyond what a figure says only that it is beyond it; speeds, without decimals, are large."""
    return (1e7, "10⁷") if digits else (1e14, "10¹⁴")


def describe_comparison(compared: "Compared") -> str:
    """What a comparison found, as one sentence; another one for each reason to doubt it."""
    settings, outcome = compared.settings, OUTCOMES[compared.settings.outcome]
    name, unit = _name_and_unit(outcome)
    about = f"{settings.variant}: {name}"
    if compared.mean is None or compared.mean_against is None:
        why = compared.left_out or "there is no ratio to it"
        return f"{about} cannot be compared with {settings.against}: {why}."
    mean, other = (
        f"{_figure(value, _decimals(value, outcome.digits))}{unit}"
        for value in (compared.mean, compared.mean_against)
    )
    fixed = not isinstance(settings.against, str)
    other = f"a fixed {other}" if fixed else f"{other} of {settings.against}"
    found = f"{about} {mean} against {other}"
    if compared.interval is None:
        sentence = f"{found}: one {compared.unit} cannot show anything."
    else:
        sentence = f"{found}, {_evidence(compared)}: {_conclusion(compared)}."
    if compared.pairs == 2:
        sentence += (
            f" With two {compared.unit}s all of this rests on the assumption that differences are "
            "normally distributed."
        )
    if compared.left_out:
        sentence += f" {compared.left_out}."
    return sentence


def _evidence(compared: "Compared") -> str:
    assert compared.interval
    assert compared.estimate is not None
    assert compared.adjusted_p is not None
    low, high = compared.interval
    numbers = (compared.estimate, low, high)
    if compared.settings.is_ratio:
        digits = _decimals((high - low) / 2, 2)
        estimate, low_end, high_end = (_figure(number, digits) for number in numbers)
        estimate = f"a ratio of {estimate}"
    else:
        digits = _decimals((high - low) / 2, OUTCOMES[compared.settings.outcome].digits)
        estimate, low_end, high_end = (_figure(number, digits, "+") for number in numbers)
        estimate = f"a difference of {estimate}"
    size = compared.effect_size
    effect = "" if size is None else f"effect size {size:z,.1f}, "
    return (
        f"{estimate} (95% interval {low_end} to {high_end}, {compared.pairs} {compared.unit}s, "
        f"{effect}{_p(compared.adjusted_p)} after Holm)"
    )


def _conclusion(compared: "Compared") -> str:
    settings, expect = compared.settings, compared.settings.expect
    if compared.survivors:
        return "not tested, because some runs diverged and the others would speak for them"
    if compared.verdict == "not shown":
        return _not_shown(compared)
    if expect == "different":
        return f"shown to be {_direction(compared)}"
    if compared.verdict == "supported":
        return f"{_statement(settings)}, as claimed"
    if expect in TOLERANT:
        return f"{_direction(compared)} by more than {_margin(settings)}, contrary to the claim"
    if settings.has_margin:
        return f"not {_statement(settings)}, contrary to the claim"
    return f"{OPPOSITE[expect]}, contrary to the claim"


def _not_shown(compared: "Compared") -> str:
    settings = compared.settings
    undecided = f"not shown to be {_statement(settings)}"
    if settings.expect.startswith("not "):
        undecided = f"whether it is {_statement(settings).removeprefix('not ')} is open"
    elif not settings.has_margin:
        undecided = "no difference is shown"
    # By itself it would be, as the interval says too.
    corrected = " after Holm's correction" if (compared.p_value or 0) <= LEVEL else ""
    kind = "factor" if settings.is_ratio else "difference"
    if compared.detectable is None:
        return f"{undecided}; every {compared.unit} gives the same {kind}"
    size = _detectable(compared)
    if settings.expect in TOLERANT:
        enough = f"a margin of {size} would be enough for two that are the same,"
    elif settings.has_margin:
        enough = f"{'' if settings.is_ratio else 'a difference of '}{size} would be enough"
    else:
        enough = f"one of {size} would be"
    return f"{undecided}{corrected}; with this spread, {enough} in four of five such experiments"


def _statement(settings: ComparisonSettings) -> str:
    """`higher`, `higher by more than 0.05`, `not higher by more …` or `equivalent within 0.05`."""
    if settings.expect == "equivalent":
        return f"equivalent within {_margin(settings)}"
    return settings.expect + (f" by more than {_margin(settings)}" if settings.has_margin else "")


def _margin(settings: ComparisonSettings) -> str:
    return f"{'a factor of ' if settings.is_ratio else ''}{settings.margin:g}"


def _detectable(compared: "Compared") -> str:
    """Two digits: the spread that it is made from is itself an estimate from a few pairs."""
    value = compared.detectable or 0.0
    if not compared.settings.is_ratio:
        return _two_digits(value)
    factor = _figure(value, _decimals(value - 1, 0)) if value < 10 else _two_digits(value)
    return f"a factor of {factor}"


def _two_digits(value: float) -> str:
    if value >= MOST:
        return f"more than {MOST:,.0f}"
    return _figure(float(f"{value:.2g}"), _decimals(value, 0))


def _direction(compared: "Compared") -> str:
    assert compared.estimate is not None
    neutral = 1.0 if compared.settings.is_ratio else 0.0
    return "higher" if compared.estimate > neutral else "lower"


def _name_and_unit(outcome: Outcome) -> tuple[str, str]:
    """`training [s]` as `training time` and ` s`; what follows a comma goes into brackets."""
    name, _, unit = outcome.label.partition(":")[0].partition(" [")
    head, comma, tail = name.partition(", ")
    if comma:
        name = f"{head} ({tail})"
    if unit == "s]":
        name = f"{name} time"
    return name, f" {unit.rstrip(']')}" if unit else ""


def _decimals(size: float, least: int) -> int:
    """Decimals that show two digits of a number of this size, and at least `least`."""
    if size == 0 or not math.isfinite(size):
        return least
    return min(MOST_DECIMALS, max(least, 1 - math.floor(math.log10(abs(size)))))


def _figure(value: float, digits: int, sign: Literal["+", ""] = "") -> str:
    """A number; `sign`: with + where it is positive."""
    largest, power = limit(digits)
    if abs(value) < largest:
        return f"{value:{sign},.{digits}f}"
    return f"over {power}" if value > 0 else f"under -{power}"


def _p(p: float) -> str:
    """Three digits near 0.05, so that it is seen on which side of it p lies."""
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {p:.{1 if p < 0.001 else 3 if 0.01 < p < 0.1 else 2}g}"


__all__ = ["describe_comparison", "limit", "stated"]
