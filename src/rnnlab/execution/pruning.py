"""Ends hopeless runs of a search early; used by the process that makes the run."""

import math

import optuna

from rnnlab.execution.executor import TrialLink
from rnnlab.experiments.optuna_study import open_journal, running_trial

WARMUP = 0.2
"""Fraction of the budget before which no run is ended: the best run may start slowly."""

STARTUP = 5
"""Runs that must have finished before one is ended."""


class Pruning:
    """Median stopping rule (Golovin et al. 2017, 3.2.2, without its running averages).

    A run ends if its best held-out figure so far is worse than the median of the finished runs at
    the same fraction of their budgets. Optuna's documentation prefers Hyperband with TPE, but for
    many more trials than the few dozen here: each of its brackets learns separately.
    """

    def __init__(self, link: TrialLink, num_evaluations: int) -> None:
        pruner = optuna.pruners.MedianPruner(STARTUP, math.ceil(WARMUP * num_evaluations))
        storage = open_journal(link.journal)
        study = optuna.load_study(study_name=link.study, storage=storage, pruner=pruner)
        self._trial = running_trial(study, storage, link.number)
        self._reported = study.get_trials(deepcopy=False)[link.number].last_step or 0
        self._evaluations = num_evaluations
        self.reason = ""
        """Why the run was ended; empty if it was not."""

    def __call__(self, progress: float, bits_per_character: float) -> str:
        """Report an evaluation; returns the reason to end training, or an empty string."""
        evaluation = math.floor(progress * self._evaluations)
        if progress >= 1 or not math.isfinite(bits_per_character):
            return ""
        # A run that was cut off and is made again has already reported its first evaluations.
        if evaluation > self._reported:
            self._trial.report(bits_per_character, evaluation)
            self._reported = evaluation
        if evaluation == self._reported and self._trial.should_prune():
            self.reason = (
                f"at {progress:.0%} of its budget behind the median of the finished runs: "
                f"{bits_per_character:.3f} held-out bits/character"
            )
        return self.reason
