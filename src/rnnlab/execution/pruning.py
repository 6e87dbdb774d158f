"""Whether a run of a search is worth going on with; asked by the process that makes it."""

import math

from rnnlab.execution.job import TrialLink
from rnnlab.experiments.optuna_study import open_journal

SPARED = 0.2
"""Share of the budget in which no run is ended: what wins later may begin slowly."""

STARTUP = 5
"""Runs that must have finished before one is ended."""


class Pruning:
    """Median stopping rule (Golovin et al. 2017, 3.2.2, without its running averages).

    A run ends where its best held-out figure so far is worse than the median of what the finished
    runs of the search had at the same share of their budgets. With TPE, Optuna's documentation
    prefers Hyperband, but for many more trials than the few dozen of a search here: each of its
    brackets has to learn for itself.
    """

    def __init__(self, link: TrialLink, num_evaluations: int) -> None:
        import optuna

        pruner = optuna.pruners.MedianPruner(STARTUP, math.ceil(SPARED * num_evaluations))
        study = optuna.load_study(
            study_name=link.study, storage=open_journal(link.journal), pruner=pruner
        )
        trial = study.get_trials(deepcopy=False)[link.number]
        self._trial = optuna.Trial(study, trial._trial_id)
        self._reported = trial.last_step or 0
        self._evaluations = num_evaluations
        self.reason = ""
        """Why the run was ended; empty while it was not."""

    def __call__(self, progress: float, bits_per_character: float) -> str:
        """Report an evaluation; returns the reason to end training, or nothing."""
        evaluation = math.floor(progress * self._evaluations)
        if progress >= 1 or not math.isfinite(bits_per_character):
            return ""
        # A run that was cut off and is made again has reported its first evaluations already.
        if evaluation > self._reported:
            self._trial.report(bits_per_character, evaluation)
            self._reported = evaluation
        if evaluation == self._reported and self._trial.should_prune():
            self.reason = (
                f"at {progress:.0%} of its budget behind the median of the finished runs: "
                f"{bits_per_character:.3f} held-out bits/character"
            )
        return self.reason
