"""A search: settings that are suggested one after the other, each by what came of those before."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import TypeAdapter, ValidationError

from rnnlab.config import Settings
from rnnlab.config.validation import rule_of
from rnnlab.errors import UsageError, suggest
from rnnlab.execution.executor import RunEvent
from rnnlab.execution.job import Job, TrialLink
from rnnlab.experiments.optuna_study import Study, Trial, search_settings
from rnnlab.experiments.plan import Plan, PlannedRun
from rnnlab.experiments.settings import Range
from rnnlab.experiments.store import Store
from rnnlab.files import make_folder

FOLLOWED = (
    "validation_bits_per_character",
    "held_out_bits_per_character",
    "best_held_out_bits_per_character",
)
"""Outcomes that held-out evaluations on the way foretell; for any other no run is pruned."""

ATTEMPTS = 100
"""Suggestions in a row that may contradict the rules of the settings."""

WAIT = 0.02
"""Between two looks at the search's lock [s]."""


class Search:
    """The trials of a plan's search, shared by all processes that work on one folder.

    What is done with a trial follows from the journal and the store alone, so that a process may
    end at any moment, and another may take part at any moment:

    - An open trial whose run has an outcome.json is told what that says, by whoever sees it first:
      its figure, or that it ended early, by pruning or because it diverged.
    - Any other open trial is run by the process that holds its claim; the system frees that when
      the process ends, and the next to look takes the trial up again.
    - A run that failed leaves its trial open. TPE keeps away from it, and so does this process; the
      next start tries it again.
    - Trials with the same settings share one run.

    Close it, or use it as a context, to have its claims freed before the process ends.
    """

    def __init__(self, plan: Plan, store: Store, threads: int = 1) -> None:
        """Begin or join a search; `threads` are those of a run. Raises as `check_space` does."""
        self.plan = plan
        self.store = store
        self.threads = threads
        self.settings = search_settings(plan)
        check_space(self.settings.settings)
        make_folder(store.folder)
        self.study = Study(plan, store.folder)
        self._claims: dict[int, ExitStack] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the trials that this process has not ended, for others to take up."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()

    def jobs(self) -> Iterator[Job]:
        """Suggest until `count` trials by all processes together have ended or are running.

        Before that, those that another process left behind. Raises UsageError where nothing but
        contradictory settings is suggested, or the outcome is not measured.
        """
        while job := self._next():
            yield job

    def tell(self, event: RunEvent) -> None:
        """Let the study know what became of a run."""
        if event.has_ended:
            with self._alone():
                self._settle()

    def _next(self) -> Job | None:
        with self._alone():
            while True:
                trials = self._settle()
                if job := self._take_up(trials):
                    return job
                if sum(trial.counts for trial in trials) >= self.settings.count:
                    return None
                self._suggest()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all other processes of this search from looking and suggesting."""
        while True:
            with self.store.claim("search") as mine:
                if mine:
                    yield
                    return
            time.sleep(WAIT)

    def _settle(self) -> list[Trial]:
        """Tell the study of every run that has ended; returns all trials."""
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
        """The run of an open trial; a trial that can have none is refused."""
        if trial.state == "open":
            try:
                return trial.run(self.plan)
            except UsageError as error:
                self.study.refuse(trial, str(error))
        elif trial.state == "cut off":
            self.study.refuse(trial, "")
        return None

    def _figure(self, run: PlannedRun, content: dict[str, Any]) -> float | None:
        """What the study is told of an outcome.json; None is also an infinite figure there."""
        if content["status"] != "finished":
            return None
        outcomes: dict[str, float | None] = content["outcomes"]
        if (name := self.settings.outcome) not in outcomes:
            raise UsageError(
                f"search: outcome {name!r} is not measured of these runs, as {run.id} shows "
                f"(choices: {', '.join(outcomes)})"
            )
        return outcomes[name]

    def _take_up(self, trials: list[Trial]) -> Job | None:
        """Claim the first open trial that no process is at."""
        seen = set()
        for trial in trials:
            if trial.state != "open":
                continue
            run = trial.run(self.plan)
            if run.id not in seen and self._claim(trial.number):
                return self._job(trial, run)
            seen.add(run.id)
        return None

    def _claim(self, number: int) -> bool:
        if number in self._claims:
            return False
        claim = ExitStack()
        if not claim.enter_context(self.store.claim(f"search-{self.study.name}-{number}")):
            claim.close()
            return False
        self._claims[number] = claim
        return True

    def _job(self, trial: Trial, run: PlannedRun) -> Job:
        job = Job.of(run, self.plan, self.threads)
        if not (self.settings.prune and self.settings.outcome in FOLLOWED):
            return job
        return replace(job, trial=TrialLink(self.study.journal, self.study.name, trial.number))

    def _suggest(self) -> None:
        """Have one more trial, whose settings do not contradict each other."""
        for _ in range(ATTEMPTS):
            trial = self.study.suggest()
            if self._run(trial):
                return
        reason = self.study.trials()[trial.number].reason
        raise UsageError(
            f"search: {ATTEMPTS} suggestions in a row contradict the rules of the settings; the "
            f"last: {reason}"
        )


def check_space(space: dict[str, Range]) -> None:
    """Raise UsageError for a setting that does not exist or can't have the values it is to have."""
    groups = {name: group for group in Settings.groups.values() for name in group.model_fields}
    for name, span in space.items():
        if name not in groups:
            raise UsageError(f"search: unknown setting {name!r}{suggest(name, groups)}")
        if name == "seed":
            raise UsageError("search: seed belongs in seeds; a search runs with the first of them")
        if name == "num_evaluations":
            raise UsageError("search: runs are compared at their evaluations, so num_evaluations "
                             "belongs in base")  # fmt: skip
        field = groups[name].model_fields[name]
        kind: Any = Annotated[field.annotation, field]
        for value in span.choices or span.bounds:
            try:
                TypeAdapter(kind).validate_python(value)
            except ValidationError as error:
                rule = rule_of(name, error.errors(), groups[name])
                raise UsageError(f"search: {rule}") from None
