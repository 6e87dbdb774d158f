"""The section "Texts": what each text shows, and what all of them show together."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rnnlab.experiments.comparison import ClaimVerdict, ComparisonResult
from rnnlab.experiments.evidence import text_word
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records
from rnnlab.report.figures import Illustration
from rnnlab.report.forest_plot import ForestRow, forest_plot
from rnnlab.report.formatting import number

RATIO_DIGITS = 3


@dataclass(frozen=True)
class TextRow:
    """A comparison on one text, or on all of them, in words."""

    name: str
    own: str
    against: str
    difference: str
    interval: str
    pairs: int
    verdict: str
    pooled: bool


@dataclass(frozen=True)
class ComparedOnTexts:
    """One comparison on all texts."""

    title: str
    own_name: str
    against_name: str
    kind: str
    """difference or ratio."""
    rows: tuple[TextRow, ...]


@dataclass(frozen=True)
class TextsSection:
    """All comparisons on all texts."""

    about: str
    comparisons: tuple[ComparedOnTexts, ...]


def texts_section(records: Records, verdicts: Sequence[ClaimVerdict]) -> TextsSection | None:
    """Return the section; None if the experiment has one text, or nothing was compared."""
    found = _compared(records, verdicts)
    if not found:
        return None
    what = text_word(records.plan)
    about = (
        f"Each comparison on each {what} alone, and on all of them together, where every {what} "
        f"counts alike. The verdicts on single {what}s have an error rate of 5% of their own, "
        "corrected for all of them together, and decide no claim."
    )
    return TextsSection(about, tuple(map(_in_words, found)))


def forest(records: Records, verdicts: Sequence[ClaimVerdict]) -> Illustration | None:
    """Draw each comparison on each text, and over all of them."""
    found = _compared(records, verdicts)
    if not found:
        return None
    what = text_word(records.plan)
    caption = (
        f"The variant against what it is compared with, on each {what} (points) and over all "
        f"{len(records.plan.texts)} (diamond), with 95% t intervals, uncorrected. The line is no "
        f"difference{'; the shaded band is the margin' if _has_margin(found) else ''}."
    )
    return Illustration(caption, [_plot(i, each) for i, each in enumerate(found)], [])


def _has_margin(results: Sequence[ComparisonResult]) -> bool:
    return any(result.settings.has_margin for result in results)


def _compared(records: Records, verdicts: Sequence[ClaimVerdict]) -> list[ComparisonResult]:
    """Return the comparisons with figures, each once; none if the experiment has one text."""
    if not records.plan.texts:
        return []
    each = {result.settings: result for claim in verdicts for result in claim.compared}
    return [result for result in each.values() if result.estimate is not None]


def _rows(result: ComparisonResult) -> list[tuple[str, ComparisonResult]]:
    """Return the texts with figures, then all of them together."""
    rows = [(name, on) for name, on in result.on_texts if on.estimate is not None]
    return [*rows, (f"on {result.about}", result)]


def _title(result: ComparisonResult) -> str:
    against = result.settings.against
    other = against if isinstance(against, str) else f"{against:g}"
    return f"{result.settings.variant} against {other}"


def _digits(result: ComparisonResult) -> tuple[int, int]:
    """Return the decimals of figures, and of their differences or ratios."""
    digits = OUTCOMES[result.settings.outcome].digits
    return digits, RATIO_DIGITS if result.settings.is_ratio else digits


def _signed(value: float, result: ComparisonResult) -> str:
    words = number(value, _digits(result)[1])
    return words if result.settings.is_ratio or words[0] in "-<>" else f"+{words}"


def _interval(result: ComparisonResult) -> str:
    if result.interval is None:
        return ""
    low, high = (_signed(end, result) for end in result.interval)
    return f"{low} to {high}"


def _in_words(result: ComparisonResult) -> ComparedOnTexts:
    rows = []
    for name, on in _rows(result):
        assert on.mean is not None
        assert on.mean_against is not None
        assert on.estimate is not None
        own, against = (number(value, _digits(on)[0]) for value in (on.mean, on.mean_against))
        rows.append(
            TextRow(
                name, own, against, _signed(on.estimate, on), _interval(on), on.pairs,
                on.verdict if on.interval else "not tested", on is result,
            )
        )  # fmt: skip
    settings = result.settings
    against_name = settings.against if isinstance(settings.against, str) else "fixed value"
    return ComparedOnTexts(
        f"{_title(result)}: {OUTCOMES[settings.outcome].label}", settings.variant, against_name,
        "ratio" if settings.is_ratio else "difference", tuple(rows),
    )  # fmt: skip


def _plot(index: int, result: ComparisonResult) -> Markup:
    rows = []
    for name, on in _rows(result):
        assert on.estimate is not None
        low, high = on.interval or (None, None)
        words = _signed(on.estimate, on)
        words = f"{words} ({_interval(on)})" if on.interval else words
        rows.append(ForestRow(name, on.estimate, low, high, words, pooled=on is result))
    settings = result.settings
    kind = "ratio of" if settings.is_ratio else "difference in"
    label = f"{kind} {OUTCOMES[settings.outcome].label.partition(':')[0]}"
    margin = settings.margin if settings.has_margin else 0.0
    return forest_plot(
        f"texts-{index}", _title(result), label, rows, ratio=settings.is_ratio, margin=margin
    )
