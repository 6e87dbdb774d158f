"""Measuring a model, as a function of the library whose result is shown as tables."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from rnnlab.display.evaluations import Evaluations
from rnnlab.lm.evaluate import Evaluation
from rnnlab.runs import evaluation

Parameters = ParamSpec("Parameters")


def _shown_as_tables(
    measure: Callable[Parameters, tuple[list[Evaluation], list[str]]],
) -> Callable[Parameters, Evaluations]:
    """Return a function that does the same; its result is shown as tables."""

    @wraps(measure)
    def evaluate(*args: Parameters.args, **options: Parameters.kwargs) -> Evaluations:
        return Evaluations(*measure(*args, **options))

    return evaluate


evaluate = _shown_as_tables(evaluation.evaluate)
