"""A search: each suggestion of settings depends on the outcomes of earlier ones."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from rnnlab.config import Settings
from rnnlab.config.validation import check_value
from rnnlab.errors import UsageError, suggest
from rnnlab.execution.executor import Job, RunEvent, TrialLink
from rnnlab.experiments.optuna_study import Study, Trial, search_settings
from rnnlab.experiments.plan import Plan, PlannedRun
from rnnlab.experiments.settings import Range
from rnnlab.experiments.store import Store
from rnnlab.files import make_folder

PRUNABLE = (
    "validation_bits_per_character",
    "held_out_bits_per_character",
    "best_held_out_bits_per_character",
)
"""Outcomes that evaluations during training predict; for others no run is pruned."""

ATTEMPTS = 100
"""Suggestions in a row that may break the rules of the settings."""

POLL_SECONDS = 0.02
"""Time between attempts to lock the search."""


class Search(AbstractContextManager["Search"]):
    """The trials of a plan's search, shared by all processes that work on one folder.

    The next step for a trial follows from the journal and the store alone, so a process may end or
    join at any moment:

    - If the run of an open trial has an outcome.json, the first process to notice tells the study:
      its figure, or that the run ended early, because it was pruned or diverged.
    - Any other open trial is run by the process that holds its claim. The system frees the claim
      when that process ends, and another process takes up the trial.
    - A run that failed leaves its trial open. TPE avoids its settings, and this process does not
      try it again; the next start does.
    - Trials with the same settings share one run.

    Close it, or use it as a context manager, to free its claims before the process ends.
    """

    def __init__(self, plan: Plan, store: Store, threads: int = 1) -> None:
        """Begin or join a search, with `threads` for each run. Raises as `check_space` does."""
        self.plan = plan
        self.store = store
        self.threads = threads
        self.settings = search_settings(plan)
        check_space(self.settings.settings)
        make_folder(store.folder)
        self.study = Study(plan, store.folder)
        self._claims: dict[int, ExitStack] = {}

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the trials that this process has not ended, for other processes to run."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()

    def jobs(self) -> Iterator[Job]:
        """Yield jobs until `count` trials of all processes together have ended or are running.

        Trials that another process has left behind come first. Raises UsageError if all suggestions
        break the rules of the settings, or if runs do not measure the outcome.
        """
        yield from iter(self._next, None)

    def record(self, event: RunEvent) -> None:
        """Tell the study about a run that has ended."""
        if event.has_ended:
            with self._locked():
                self._tell_outcomes()

    def _next(self) -> Job | None:
        with self._locked():
            while True:
                trials = self._tell_outcomes()
                if job := self._take_up(trials):
                    return job
                if sum(trial.counts for trial in trials) >= self.settings.count:
                    return None
                self._ask()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep all other processes of this search from reading it and from asking for trials."""
        while True:
            with self.store.claim("search") as is_ours:
                if is_ours:
                    yield
                    return
            time.sleep(POLL_SECONDS)

    def _tell_outcomes(self) -> list[Trial]:
        """Tell the study about every run that has ended; returns all trials."""
        for trial in self.study.trials():
            run = self._run(trial)
            if run and (content := self.store.outcome(run.id)):
                self.study.tell(trial, self._figure(run, content))
        trials = self.study.trials()
        for trial in trials:
            if trial.state != "open" and trial.number in self._claims:
                self._claims.pop(trial.number).close()
        return trials

    def _run(self, trial: Trial) -> PlannedRun | None:
        """Return the run of an open trial; refuse a trial that cannot be run."""
        if trial.state == "open":
            try:
                return trial.run(self.plan)
            except UsageError as error:
                self.study.refuse(trial, str(error))
        elif trial.state == "cut off":
            self.study.refuse(trial, "")
        return None

    def _figure(self, run: PlannedRun, content: dict[str, Any]) -> float | None:
        """Return the figure to tell the study; None if the run ended early or it is infinite."""
        if content["status"] != "finished":
            return None
        outcomes: dict[str, float | None] = content["outcomes"]
        if (name := self.settings.outcome) not in outcomes:
            raise UsageError(
                f"search: outcome {name!r} is not measured by these runs, for example {run.id} "
                f"(choices: {', '.join(outcomes)})"
            )
        return outcomes[name]

    def _take_up(self, trials: list[Trial]) -> Job | None:
        """Claim the first open trial that no process is running."""
        seen = set()
        for trial in trials:
            if trial.state != "open":
                continue
            run = trial.run(self.plan)
            if run.id not in seen and self._claim(trial.number):
                job = Job.of(run, self.plan, self.threads)
                if not (self.settings.prune and self.settings.outcome in PRUNABLE):
                    return job
                link = TrialLink(self.study.journal, self.study.name, trial.number)
                return replace(job, trial=link)
            seen.add(run.id)
        return None

    def _claim(self, number: int) -> bool:
        if number in self._claims:
            return False
        with ExitStack() as claim:
            is_ours = claim.enter_context(self.store.claim(f"search-{self.study.name}-{number}"))
            if is_ours:
                self._claims[number] = claim.pop_all()
        return is_ours

    def _ask(self) -> None:
        """Add a trial whose settings follow the rules."""
        for _ in range(ATTEMPTS):
            trial = self.study.ask()
            if self._run(trial):
                return
        reason = self.study.trials()[trial.number].reason
        raise UsageError(
            f"search: {ATTEMPTS} suggestions in a row break the rules of the settings; the last: "
            f"{reason}"
        )


def check_space(space: dict[str, Range]) -> None:
    """Raise UsageError for a setting that does not exist, or for values that it cannot have."""
    groups = {name: group for group in Settings.groups.values() for name in group.model_fields}
    for name, span in space.items():
        if name not in groups:
            raise UsageError(f"search: unknown setting {name!r}{suggest(name, groups)}")
        if name == "seed":
            raise UsageError("search: seed belongs in seeds; a search runs with the first of them")
        if name == "num_evaluations":
            raise UsageError("search: runs are compared at their evaluations, so num_evaluations "
                             "belongs in base")  # fmt: skip
        for value in span.choices or span.bounds:
            check_value(groups[name], name, value, "search")
