"""What stands beside the plots, so that they can be read without asking."""

from rnnlab.experiments.outcomes import Outcome
from rnnlab.experiments.records import Records
from rnnlab.experiments.statistics import LEVEL
from rnnlab.report.formatting import counted, listed
from rnnlab.report.outcome_table import OutcomeTable, is_ranked, shown_ngram
from rnnlab.report.protocol_section import budget


def warning(records: Records) -> str:
    """Return why no conclusions should be drawn from the report; empty if there is no reason."""
    if "--quick" in records.command.split():
        extent = f"{counted(len(records.plan.settings.seeds), 'seed')}, {budget(records)}"
        return f"Quick version: {extent}, to see that it works; draw no conclusions."
    left = sum(not run.has_ended for run in records.runs)
    if left and not records.plan.settings.search:
        return (
            f"Interim: {left:,} of {counted(len(records.runs), 'run')} are still to be made. The "
            "5% are promised for the verdicts with all of them, looked at once."
        )
    if len(records.looks) > 1:  # no correction of the verdicts covers it
        first, *others = (f"{count}" for count in records.looks)
        return (
            f"Looked at more than once: verdicts were made with {first} seeds, then with "
            f"{listed(others)}. The 5% hold only for a number of seeds that is fixed beforehand."
        )
    return ""


def table_remarks(records: Records, table: OutcomeTable, *, paired: bool) -> list[str]:
    """Return how to read the table of outcomes; `paired`: there are verdicts of pairs."""
    settings = records.plan.settings
    timed = any(column.timed for column in table.columns)
    apart = timed and records.timed_separately
    several = len(settings.seeds) > 1
    remarks = []
    over = [("over the seeds", several), ("of speed over the rounds of its measurement", apart)]
    if several or apart:
        where = listed([words for words, there in over if there])
        remarks.append(f"Means ± half a 95% t interval, {where}.")
    if not several:
        remarks.append("One seed: nothing is known of how much the figures vary with it.")
    ratios = [column.label for column in table.columns if column.is_ratio]
    if ratios and (several or apart):
        remarks.append(
            f"Of {listed(ratios)} the mean is geometric and the interval relative; "
            "×/÷ says by which factor it reaches up and down."
        )
    if paired and (several or apart):
        remarks.append(
            "Each interval is of one variant by itself, while verdicts compare pairs: variants "
            "whose intervals overlap may still be shown to differ."
        )
    if timed and not apart:
        remarks.append(SHARED)
    if apart and not records.timings:
        remarks.append("Speed is measured when all runs have ended, and has not been yet.")
    remarks += _about_marks(records, table)
    if is_ranked(records):
        remarks.append(f"Rows stand in the order of {table.columns[0].label}, the best first.")
    if any(variant.reported for variant in records.plan.variants):
        source = f": {settings.source.rstrip('.')}" if settings.source else ""
        remarks.append(f"Figures that are called reported come from elsewhere{source}.")
    if any(title == "Baselines" for title, _ in table.groups):
        remarks.append("Baselines learn from the same training text and are measured on the same "
                       "held-out text.")  # fmt: skip
    return remarks


def _about_marks(records: Records, table: OutcomeTable) -> list[str]:
    """What bold means, and which variants it does not speak of."""
    if not table.has_best:
        return ["In no column is one variant shown to be better than every other: none is marked."]
    marks = (
        "Bold: the best of its column, marked only where paired t tests show it to be better than "
        f"every other variant; the marks have a level of {LEVEL:.0%} of their own, corrected for "
        "the number of variants and columns, that is no part of the claims'."
    )
    if all(run.status == "finished" for run in records.runs):
        return [marks]
    return [
        marks,
        "Variants with runs that did not finish are compared on the seeds they have, those without "
        "any figure not at all.",
    ]


def curves(records: Records) -> str:
    """How to read the learning curves."""
    plan = records.plan
    number = [variant.name for variant in plan.variants].index(plan.reference) + 1
    level = "; the dashed level is what an n-gram reaches on it" if shown_ngram(records) else ""
    return (
        "Means over the seeds that finished, with 95% t intervals as bands. Held-out figures are "
        f"of the validation split, context {plan.base.training.validation_context}{level}. "
        "Training perplexity is a geometric mean on a logarithmic axis. All plots have the same "
        "axes; losses of the first steps may lie above them. Lines end in the number of their "
        f"variant; a thin grey one is {number}, {plan.reference}, for comparison."
    )


def speed(records: Records, quality: Outcome) -> str:
    """How to read the plot of speed against quality."""
    where = "to the lower right" if quality.better == "lower" else "to the upper right"
    return (
        f"Tokens trained on in a second, logarithmic, against {quality.label}; means with their "
        f"95% t intervals, which end at the axes; a hollow point lies beyond them. What is fast "
        f"and good lies {where}.{'' if records.timed_separately else f' {SHARED}'}"
    )


SHARED = (
    "Speed was not measured apart: runs that share a machine slow each other down, so these speeds "
    "say little."
)


FLOW = (
    "How much the loss at time T says about the state k steps before it: the norm of the gradient "
    "by that state, a mean over stretches of the training text, on a logarithmic axis. Lines are "
    "geometric means over the seeds, bands reach from the smallest to the largest. A straight line "
    "down is a gradient that vanishes exponentially, one up a gradient that explodes. It is the "
    "gradient by h alone: what an LSTM hands on in c counts as held fixed."
)

ELSEWHERE = "Figures, such as learning curves, are in report.html."

SAMPLES = (
    "Written by the last weights of each variant's first seed, always taking the likeliest token."
)

NOT_KEPT = (
    "How each model continues the phrases is not kept with these figures, because a model that has "
    "learned its text by heart writes that text; runs that are made anew have it."
)

SLICES = (
    "Every point is a trial that finished, the diamond the best; a hollow one lies beyond the "
    "axis. A stroke at the upper edge is one that ended early, by pruning or divergence, or has "
    "not ended, and so has no figure."
)
