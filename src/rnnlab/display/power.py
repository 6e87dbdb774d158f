"""What `rnnlab power` prints."""

from rnnlab.config.validation import format_value
from rnnlab.console import counted
from rnnlab.experiments.claims import TOLERANT
from rnnlab.experiments.evidence import text_word
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.power import EFFECTS, ComparisonPower, ExperimentPower, needed
from rnnlab.experiments.statistics import LEVEL, POWER
from rnnlab.experiments.wording import figure_of_difference, statement

COLUMNS = 6


def power_lines(found: ExperimentPower) -> list[str]:
    """Return what an experiment can show, a line for each thing to say."""
    correction = ""
    if found.tests > 1:
        correction = f" ({LEVEL:.0%} / {found.tests}, the first and hardest step of Holm's)"
    lines = [
        f"{counted(found.tests, 'comparison')}, each tested at {100 * found.level:.2g}%"
        f"{correction}; shown means: by {POWER:.0%} of such experiments"
    ]
    for claim in found.claims:
        lines += ["", claim.text]
        for each in claim.comparisons:
            lines += [f"  {line}" for line in _lines(each, text_word(found.plan))]
    without = next((each for claim in found.claims for each in claim.comparisons
                    if each.spread is None), None)  # fmt: skip
    if without:
        lines += ["", *_table(without)]
    return lines


def _lines(each: ComparisonPower, text: str) -> list[str]:
    settings, design = each.settings, each.design
    outcome = OUTCOMES[settings.outcome].label.partition(":")[0]
    against = settings.against if isinstance(settings.against, str) else f"{settings.against:g}"
    lines = [f"{settings.variant} against {against}, {outcome}: {statement(settings)}"]
    now = counted(design.count, design.unit)
    if design.texts:
        now += f" on each of {design.texts} {text}s"
    if each.spread is None:
        lines.append(f"  {now}; how much the paired differences vary is not known")
        return lines
    of = " of logarithms" if settings.is_ratio else ""
    lines.append(f"  standard deviation{of} {each.spread.deviation:.2g} {each.spread.source}")
    if each.shown is None:
        lines.append(f"  {now}: too few for a test")
    else:
        size = figure_of_difference(settings, each.shown)
        lines.append(f"  {now}: {_would_show(each)} {size}")
    if each.wanted is not None:
        lines.append(f"  {_needs(each)}")
    elif settings.expect not in TOLERANT:
        lines.append("  --difference says how many a difference of your choice would need")
    return lines


def _would_show(each: ComparisonPower) -> str:
    kind = "ratio" if each.settings.is_ratio else "difference"
    if each.settings.expect in TOLERANT:
        return "two equal variants are shown to be so with a margin of"
    return f"the smallest true {kind} that is shown is"


def _needs(each: ComparisonPower) -> str:
    settings, unit = each.settings, each.design.unit
    what = "margin" if settings.expect in TOLERANT else "difference"
    words = f"the {what} of {format_value(float(f'{each.wanted:.4g}'))} needs "
    if each.needed is None:
        return f"{words}more {unit}s than can be run"
    words += counted(each.needed, unit)
    if each.spread and each.spread.freedom and each.needed_if_careful != each.needed:
        most = f"up to {each.needed_if_careful:,}" if each.needed_if_careful else "many more"
        words += f", {most} if the spread is larger than it seems"
    return words


def _table(each: ComparisonPower) -> list[str]:
    """Return how many are needed for differences in standard deviations."""
    settings, design = each.settings, each.design
    counts = [
        needed(settings.model_copy(update={"expect": expect, "margin": 0.0}), design, each.level,
               1.0, effect)
        for expect in ("different", "equivalent") for effect in EFFECTS
    ]  # fmt: skip
    head = "".join(f"{effect:>{COLUMNS}g}" for effect in EFFECTS)
    rows = [counts[: len(EFFECTS)], counts[len(EFFECTS) :]]
    words = ["".join(f"{count or '-':>{COLUMNS}}" for count in row) for row in rows]
    unit = f"{design.unit}s"
    return [
        "Not known: how much paired differences vary. Say it with --pilot FOLDER (an earlier "
        "experiment) or --sd NUMBER,",
        f"or try the experiment with --quick. In units of their standard deviation, {unit} needed:",
        f"  difference or margin    {head}",
        f"  to show a difference    {words[0]}",
        f"  to show equivalence     {words[1]}",
    ]
