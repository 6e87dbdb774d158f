"""Sentences that say how to read the report, its table of outcomes and its figures."""

from collections.abc import Sequence

from rnnlab.console import counted
from rnnlab.experiments.evidence import text_word
from rnnlab.experiments.outcomes import Outcome
from rnnlab.experiments.records import Records
from rnnlab.experiments.statistics import LEVEL
from rnnlab.report.formatting import listed
from rnnlab.report.outcome_table import OutcomeTable, is_ranked, shown_ngram
from rnnlab.report.protocol_section import budget, copied_words

SHARED = (
    "Speed was not measured separately: runs that share a machine slow each other down, so these "
    "speeds say little."
)

SAMPLES = "Written with the last weights of each variant's first seed, always the likeliest token."

NOT_KEPT = (
    "The samples are not stored with these figures, because a model that has learned its text by "
    "heart reproduces it. Repeat the runs to see them."
)


def warning(records: Records) -> str:
    """Return why to be careful with the whole report; empty if there is no reason."""
    copied = ""
    if any(copies.decide for copies in records.copies):
        copied = f"{copied_words(records)}: the figures show what was learned by heart."
    return " ".join(filter(None, [_unfinished(records), copied]))


def _unfinished(records: Records) -> str:
    """Return why verdicts are not final, or were made more than once."""
    seeds = len(records.plan.settings.seeds)
    if "--quick" in records.command.split():
        extent = f"{counted(seeds, 'seed')}, {budget(records)}"
        return f"Quick version: {extent}, to see that everything works. Draw no conclusions."
    left = sum(not run.has_ended for run in records.runs)
    if left and not records.plan.settings.search:
        return (
            f"Interim report: {left:,} of {counted(len(records.runs), 'run')} "
            f"{'has' if left == 1 else 'have'} not ended. The error rate of 5% holds for verdicts "
            "made once, with all runs."
        )
    if len(records.looks) > 1:  # no correction of the verdicts covers it
        first, *others = (f"{count}" for count in records.looks)
        what, fixed = "seeds", "seeds"
        if records.plan.texts:
            what, fixed = "runs of each variant", f"{text_word(records.plan)}s and seeds"
        return (
            f"More than one look: verdicts were made with {first} {what}, then with "
            f"{listed(others)}. The error rate of 5% holds only if the number of {fixed} is fixed "
            "in advance."
        )
    return ""


def table_remarks(
    records: Records, table: OutcomeTable, *, paired: bool, untested: int = 0
) -> list[str]:
    """Return how to read the table of outcomes.

    paired: the report has verdicts. untested: how many claims one seed leaves without a test.
    """
    settings = records.plan.settings
    timed = any(column.timed for column in table.columns)
    separately = timed and records.timed_separately
    several = len(settings.seeds) > 1
    intervals = several or separately
    over = ["over the seeds"] * several + ["for speed over the timing rounds"] * separately
    ratios = listed([column.label for column in table.columns if column.is_ratio])
    unfinished = any(run.status != "finished" for run in records.runs)
    source = f": {settings.source.rstrip('.')}" if settings.source else ""
    texts = records.plan.texts
    remarks = [
        (
            texts,
            f"The row of a variant is the mean over the {len(texts)} {text_word(records.plan)}s, "
            f"the rows below it are of single {text_word(records.plan)}s.",
        ),
        (
            _share_corpora(records),
            "Some texts are made of the same corpus. A verdict about texts like these takes them "
            "for independent ones, and is too certain.",
        ),
        (intervals, f"Mean ± half a 95% t interval, {listed(over)}."),
        (not several, "With one seed, nothing is known about how much the figures vary."),
        (
            untested,
            f"So {counted(untested, 'claim')} {'is' if untested == 1 else 'are'} not tested; that "
            "needs several seeds.",
        ),
        (
            ratios and intervals,
            f"For {ratios} the mean is geometric and the interval relative; ×/÷ gives the factor "
            "by which it extends up and down.",
        ),
        (
            paired and intervals,
            "Each interval describes one variant alone, whereas verdicts compare pairs: variants "
            "with overlapping intervals may still be shown to differ.",
        ),
        (timed and not separately, SHARED),
        (
            separately and not records.timings,
            "Speed is measured when all runs have ended; that has not happened yet.",
        ),
        (
            table.has_best,
            "Bold: the best of its column, only if paired t tests show it to be better than every "
            f"other variant. These tests have a level of {LEVEL:.0%} of their own, corrected for "
            "the numbers of variants and columns, apart from that of the claims.",
        ),
        (
            table.has_best and unfinished,
            "Variants with unfinished runs are compared on the seeds they have; variants without "
            "figures are not compared.",
        ),
        (
            not table.has_best and intervals and len(records.plan.variants) > 1,
            "Nothing is bold: in no column is one variant shown to be better than every other.",
        ),
        (is_ranked(records), f"Rows are sorted by {table.columns[0].label}, the best first."),
        (
            any(variant.reported for variant in records.plan.variants),
            f"Reported figures come from elsewhere{source}.",
        ),
        (
            table.has_parts,
            "Where an n-gram model joins a network, the rows below a variant say what each of the "
            "two reaches alone.",
        ),
        (
            records.copies and not any(copies.decide for copies in records.copies),
            f"{copied_words(records)}.",
        ),
        (
            any(title == "Baselines" for title, _ in table.groups),
            "Baselines learn from the same training text and are measured on the same held-out "
            "text.",
        ),
    ]
    return [remark for applies, remark in remarks if applies]


def _share_corpora(records: Records) -> bool:
    """Whether texts that are taken for a sample of such texts are not all of different corpora."""
    plan = records.plan
    if plan.scope != "texts like these" or plan.settings.folds:
        return False
    corpora = [plan.bases[text.name].data.text_names for text in plan.texts]
    return len(set(corpora)) < len(corpora)


def about_curves(records: Records, *, panels: int) -> str:
    """Return how to read the learning curves, which are in so many panels."""
    plan, several = records.plan, len(records.plan.settings.seeds) > 1
    number = [variant.name for variant in plan.variants].index(plan.reference) + 1
    drawn = {name for run in records.runs if run.status == "finished"
             for name, points in run.curves.items() if points}  # fmt: skip
    level = "; the dashed line is an n-gram on the same text" if shown_ngram(records) else ""
    context = plan.base.validation_context
    axes = "All plots have the same axes; losses" if panels > 1 else "Losses"
    geometric = "a geometric mean" if several else "drawn"
    return _joined([
        (several, "Means over the finished seeds, with 95% t intervals as bands."),
        (
            "held_out" in drawn,
            f"Held-out figures are of the validation split, context {context}{level}.",
        ),
        ("training" in drawn, f"Training perplexity is {geometric} on a logarithmic axis."),
        (
            any(run.settings.model.ngram_order for run in plan.runs),
            "Where an n-gram model joins a network, curves and training perplexity are the "
            "network's.",
        ),
        (True, f"{axes} of the first steps may be above them."
               if panels > 1 else f"{axes} of the first steps may be above the axes."),
        (True, "Each line ends in the number of its variant."),
        (panels > 1, f"The thin grey line is {number}, {plan.reference}, for comparison."),
    ])  # fmt: skip


def about_flow(records: Records) -> str:
    """Return how to read the plots of gradient flow."""
    return _joined([
        (
            True,
            "How strongly the loss at time T depends on the state k steps earlier: the norm of its "
            "gradient with respect to that state, averaged over stretches of the training text, on "
            "a logarithmic axis.",
        ),
        (
            len(records.plan.settings.seeds) > 1,
            "Lines are geometric means over the seeds; bands extend from the smallest to the "
            "largest.",
        ),
        (
            True,
            "On a straight line down the gradient vanishes exponentially, on one up it explodes. "
            "This is the gradient with respect to h alone: what an LSTM passes on in c is held "
            "fixed.",
        ),
    ])  # fmt: skip


def about_slices(*, hollow: bool, without_figure: bool) -> str:
    """Return how to read the plots of a search."""
    return _joined([
        (True, "Each point is a finished trial, the diamond is the best."),
        (hollow, "A hollow point lies outside of the axis."),
        (
            without_figure,
            "A stroke at the upper edge is a trial without a figure: it ended early, by pruning or "
            "divergence, or has not ended.",
        ),
    ])  # fmt: skip


def about_speed(records: Records, quality: Outcome, *, intervals: bool, hollow: bool) -> str:
    """Return how to read the plot of speed against quality.

    intervals: any point has one. hollow: any point lies outside of the axes.
    """
    corner = "lower right" if quality.better == "lower" else "upper right"
    return _joined([
        (
            True,
            "Training speed in tokens per second, on a logarithmic axis, against "
            f"{quality.label}.",
        ),
        (intervals, "Means with their 95% t intervals, which are cut off at the axes."),
        (hollow, "A hollow point lies outside of the axes."),
        (True, f"Variants that are fast and good are at the {corner}."),
        (not records.timed_separately, SHARED),
    ])  # fmt: skip


def _joined(sentences: Sequence[tuple[object, str]]) -> str:
    """Join the sentences that apply."""
    return " ".join(words for applies, words in sentences if applies)
