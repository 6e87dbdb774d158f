"""The study of a search, kept by Optuna in one journal file; needs no torch.

FOLDER/search.journal has a line for each operation, and is only ever appended to. Every process
that can open the file takes part in the study, on any machine. Optuna's states are used as follows:

RUNNING   a trial that is to be run, whether or not a process is running it
COMPLETE  a trial with a figure
PRUNED    a trial without a figure, or one that cannot be run (user attribute `refused`)
FAIL      a trial whose suggestion was cut off
"""

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rnnlab.errors import RunDirectoryError, UnavailableError
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.plan import Plan, PlannedRun, change_name, settings_id, short_hash
from rnnlab.experiments.settings import Range, SearchSettings, VariantSettings
from rnnlab.files import drop_torn_line, locked

try:
    import optuna
except ModuleNotFoundError:
    raise UnavailableError(
        "search needs the package optuna; install it with pip install 'rnnlab[search]'"
    ) from None

from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

JOURNAL = "search.journal"

REFUSED = "refused"

STARTUP = 10
"""Suggestions drawn at random before the estimator has enough trials to learn from."""


TrialStatus = Literal["open", "ended", "refused", "cut off"]
"""open: to be run, or running; cut off: its process was killed while it suggested the settings."""


@dataclass(frozen=True)
class Trial:
    """One suggestion of a search."""

    number: int
    change: dict[str, Any]
    """Suggested settings, in the order of the experiment file."""
    state: TrialStatus
    reason: str = ""
    """Why it was refused."""

    @property
    def counts(self) -> bool:
        """Whether it is one of the `count` trials of a search."""
        return self.state in ("open", "ended")

    def run(self, plan: Plan) -> PlannedRun:
        """Return the run of this trial; raises UsageError if its settings are inconsistent."""
        seed = plan.settings.seeds[0]
        settings = plan.base.with_changes(f"trial {self.number}", **self.change, seed=seed)
        return PlannedRun(change_name(self.change), seed, settings)


class Study:
    """The trials of a plan's search."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Begin the study, or join it."""
        self.settings = search_settings(plan)
        self.journal = (folder / JOURNAL).resolve()
        self.name = study_name(plan)
        self._storage = open_journal(self.journal)
        self._study = optuna.create_study(
            study_name=self.name,
            storage=self._storage,
            direction=direction(self.settings),
            load_if_exists=True,
        )

    def trials(self) -> list[Trial]:
        """Return all trials in their order."""
        return [_trial(t, self.settings) for t in self._study.get_trials(deepcopy=False)]

    def ask(self) -> Trial:
        """Add a trial with settings suggested by a tree-structured Parzen estimator.

        The estimator (Bergstra et al. 2011) models all settings jointly, after some random draws.
        Running trials count as bad ones (constant liar), so that processes suggest different
        settings. Each suggestion has its own random generator and depends only on the seed, on its
        place and on the trials before it, so a restart or a second process never repeats a draw. No
        other process may ask at the same time.
        """
        before = [trial for trial in self.trials() if trial.state != "cut off"]
        refused = sum(trial.state == "refused" for trial in before)
        (seed,) = np.random.SeedSequence([self.settings.seed, len(before)]).generate_state(1)
        with warnings.catch_warnings():
            # Before Optuna 5 both options were experimental and warned about it.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=int(seed),
                n_startup_trials=STARTUP + refused,
                multivariate=True,
                constant_liar=True,
            )
        number = self._study.ask(distributions(self.settings)).number
        return self.trials()[number]

    def tell(self, trial: Trial, value: float | None) -> None:
        """End a trial with its figure, or without one if its run ended early.

        A trial without a figure is PRUNED, even if its run diverged: TPE ranks it behind all others
        and avoids similar settings. It would ignore a trial in state FAIL, and might suggest
        similar settings again.
        """
        if value is None:
            self._study.tell(trial.number, state=TrialState.PRUNED)
        else:
            self._study.tell(trial.number, value)

    def refuse(self, trial: Trial, reason: str) -> None:
        """End a trial that cannot be run."""
        if trial.state == "cut off":
            self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        else:
            running_trial(self._study, self._storage, trial.number).set_user_attr(REFUSED, reason)
            self.tell(trial, None)


def running_trial(study: optuna.Study, storage: JournalStorage, number: int) -> optuna.Trial:
    """Return a running trial, which another process may have asked for.

    Optuna's documentation describes both calls, but not as an interface for users; there is none
    for this. So pyproject.toml bounds the version, and a test fails if they change.
    """
    study_id = storage.get_study_id_from_name(study.study_name)
    return optuna.Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))


class Journal(BaseJournalBackend):
    """A journal file that survives writers which are killed, on NFS as well.

    Optuna's own journal file is locked by another file, which stays behind when a process is
    killed, and cannot be read beyond a torn line. Here the system frees the lock, and the next
    writer removes a torn last line.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._position = (0, 0)  # number of lines read so far, and of their bytes
        if not file.exists():
            file.touch()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the entries from a number on, without a torn last line."""
        number, offset = self._position if self._position[0] <= log_number_from else (0, 0)
        with self._file.open("rb") as stream:
            stream.seek(offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                entry = json.loads(line)
                number, offset = number + 1, offset + len(line)
                self._position = (number, offset)
                if number > log_number_from:
                    yield entry

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries; they are on disk when this returns."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with locked(self._file.with_suffix(".lock")), self._file.open("ab") as stream:
            drop_torn_line(self._file)
            stream.write(lines.encode())
            stream.flush()
            os.fsync(stream.fileno())


def open_journal(file: Path) -> JournalStorage:
    """Open or create a journal; raises RunDirectoryError if the file is not a journal."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return JournalStorage(Journal(file))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise RunDirectoryError(
            f"{file}: not the journal of a search: {error!r}. It is kept as it is; move it away to "
            "start the search again with the existing runs"
        ) from None


def read_trials(plan: Plan, folder: Path) -> list[Trial]:
    """Return all trials of a plan's search in their order; none if it has not begun."""
    file = folder / JOURNAL
    if not file.is_file():
        return []
    try:
        study = optuna.load_study(study_name=study_name(plan), storage=open_journal(file))
    except KeyError:
        return []
    return [_trial(trial, search_settings(plan)) for trial in study.get_trials(deepcopy=False)]


def plan_with_trials(plan: Plan, folder: Path) -> Plan:
    """Return the plan of a search with a variant for each trial so far, in their order.

    Trials with the same settings share a run, so they are one variant. If two names are equal
    because they are rounded, the later one gets the number of its trial.
    """
    variants: list[VariantSettings] = []
    runs: dict[str, PlannedRun] = {}
    for trial in read_trials(plan, folder):
        if not trial.counts or (run := trial.run(plan)).id in runs:
            continue
        if any(variant.name == run.variant for variant in variants):
            run = replace(run, variant=f"{run.variant} (trial {trial.number})")
        variants.append(VariantSettings(name=run.variant, change=trial.change))
        runs[run.id] = run
    settings = plan.settings.model_copy(update={"seeds": plan.settings.seeds[:1]})
    return replace(plan, settings=settings, variants=tuple(variants), runs=tuple(runs.values()))


def search_settings(plan: Plan) -> SearchSettings:
    """Return the [search] table of a plan that has one."""
    assert plan.settings.search is not None
    return plan.settings.search


def study_name(plan: Plan) -> str:
    """Return a hash, 12 hexadecimal digits, of all that makes the trials of a search comparable.

    `count` and `prune` may change and the same search goes on; any other change begins a new study
    in the same journal.
    """
    asked = search_settings(plan).model_dump(mode="json", exclude={"count", "prune"})
    base = plan.base.with_changes(seed=plan.settings.seeds[0])
    return short_hash([asked, settings_id(base)])


def importances(
    search: SearchSettings, figures: Sequence[tuple[dict[str, Any], float]]
) -> dict[str, float]:
    """Return the importance of each setting for being in the best tenth; they add up to 1.

    PED-ANOVA (Watanabe et al. 2023). figures: settings of trials and their outcomes.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, space = optuna.create_study(direction=direction(search)), distributions(search)
    for change, value in figures:
        study.add_trial(optuna.create_trial(params=change, distributions=space, value=value))
    with warnings.catch_warnings():
        # Optuna 4 warns that this is experimental, and all versions warn about few trials.
        warnings.simplefilter("ignore")
        return optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), params=list(space)
        )


def direction(search: SearchSettings) -> Literal["minimize", "maximize"]:
    """Return whether the outcome of a search is minimized or maximized."""
    return "minimize" if OUTCOMES[search.outcome].better == "lower" else "maximize"


def distributions(search: SearchSettings) -> dict[str, BaseDistribution]:
    """Return the ranges of a search as Optuna's distributions."""
    return {name: _distribution(span) for name, span in search.settings.items()}


def _distribution(span: Range) -> BaseDistribution:
    if span.choices:
        return optuna.distributions.CategoricalDistribution(span.choices)
    low, high = span.bounds
    if span.whole:
        return optuna.distributions.IntDistribution(int(low), int(high), log=span.log)
    return optuna.distributions.FloatDistribution(low, high, log=span.log)


def _trial(frozen: FrozenTrial, search: SearchSettings) -> Trial:
    change = {name: frozen.params[name] for name in search.settings if name in frozen.params}
    reason = frozen.user_attrs.get(REFUSED, "")
    state: TrialStatus
    if len(change) < len(search.settings):
        state = "cut off"
    elif reason:
        state = "refused"
    else:
        state = "open" if frozen.state == TrialState.RUNNING else "ended"
    return Trial(frozen.number, change, state, reason)
