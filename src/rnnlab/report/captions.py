"""What stands beside the plots, so that they can be read without asking."""

from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.records import Records
from rnnlab.report.tables import shown_ngram


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


def speed(records: Records) -> str:
    """How to read the plot of speed against quality."""
    quality = next(
        o for o in map(OUTCOMES.get, records.plan.settings.outcomes) if o and not o.timed
    )
    where = "to the lower right" if quality.better == "lower" else "to the upper right"
    return (
        f"Tokens trained on in a second, logarithmic, against {quality.label}; means with their "
        f"95% t intervals, which end at the axes; a hollow point lies beyond them. What is fast "
        f"and good lies {where}.{'' if records.times_apart else f' {SHARED}'}"
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
