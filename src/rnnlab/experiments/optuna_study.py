"""The study of a search: all that is Optuna's, kept in one journal file; needs no torch.

FOLDER/search.journal  a line an operation, only ever appended to

Every process that has the file has the study, on whatever machine. Of Optuna's states, RUNNING is a
trial to be run, whether or not a process is at it; COMPLETE one with a figure; PRUNED one without,
or with the user attribute `refused` one that can't be run; FAIL one whose suggestion was cut off.
"""

import fcntl
import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rnnlab.errors import RunDirectoryError, UnavailableError
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.plan import Plan, PlannedRun, change_name, settings_id
from rnnlab.experiments.settings import Range, SearchSettings

try:
    import optuna
except ModuleNotFoundError:
    raise UnavailableError(
        "search needs the package optuna; install it with pip install 'rnnlab[search]'"
    ) from None

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

JOURNAL = "search.journal"

REFUSED = "refused"

STARTUP = 10
"""Suggestions that are drawn at random, before there is enough to learn from."""


@dataclass(frozen=True)
class Trial:
    """Settings that a search has suggested."""

    number: int
    change: dict[str, Any]
    """In the order of the file."""
    state: Literal["open", "ended", "refused", "cut off"]
    """open: to be run, or running; cut off: the process that suggested it was killed over it."""
    reason: str = ""
    """Why it was refused."""

    @property
    def counts(self) -> bool:
        """Whether it is one of the `count` trials of a search."""
        return self.state in ("open", "ended")

    def run(self, plan: Plan) -> PlannedRun:
        """What is run for it; raises UsageError where its settings contradict each other."""
        seed = plan.settings.seeds[0]
        settings = plan.base.changed(f"trial {self.number}", **self.change, seed=seed)
        return PlannedRun(change_name(self.change), seed, settings)


class Study:
    """The trials of a plan's search."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Begin the study, or join it."""
        self.settings = search_settings(plan)
        self.journal = (folder / JOURNAL).resolve()
        self._study = optuna.create_study(
            study_name=study_name(plan),
            storage=open_journal(self.journal),
            direction=direction(self.settings),
            load_if_exists=True,
        )

    @property
    def name(self) -> str:
        """See `study_name`."""
        return self._study.study_name

    def trials(self) -> list[Trial]:
        """All there are, in their order."""
        return [_trial(t, self.settings) for t in self._study.get_trials(deepcopy=False)]

    def suggest(self) -> Trial:
        """Add a trial.

        Tree-structured Parzen estimator (Bergstra et al. 2011) over all settings together, after
        some random draws; what is running counts as bad (constant liar), so that processes keep
        apart.

        Each suggestion has a generator of its own, so that it depends on nothing but the seed, its
        place and the trials before it: neither a new start nor a second process draws anything
        twice. No other process may suggest at the same time.
        """
        before = [trial for trial in self.trials() if trial.state != "cut off"]
        refused = sum(trial.state == "refused" for trial in before)
        (seed,) = np.random.SeedSequence([self.settings.seed, len(before)]).generate_state(1)
        with warnings.catch_warnings():
            # Both were experimental, and said so, until Optuna 5 made them its default.
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
        """End a trial: with its figure, or with none where it ended early.

        One without is PRUNED, also where it diverged: TPE ranks it behind all others and so keeps
        away from it. A trial in state FAIL it would ignore, and might suggest the like again.
        """
        if value is None:
            self._study.tell(trial.number, state=TrialState.PRUNED)
        else:
            self._study.tell(trial.number, value)

    def refuse(self, trial: Trial, reason: str) -> None:
        """End a trial that can't be run."""
        if trial.state == "cut off":
            self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        else:
            frozen = self._study.get_trials(deepcopy=False)[trial.number]
            optuna.Trial(self._study, frozen._trial_id).set_user_attr(REFUSED, reason)
            self.tell(trial, None)


class Journal(JournalFileBackend):
    """A journal that takes being written to by processes which are killed, on NFS as well.

    Optuna's own locks are files, which outlive whoever made them; and after half a line it reads no
    further. This lock the system frees, on Linux for NFS too (flock(2)), and who gets it cuts half
    a line off.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(str(file))
        self._file = file

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines, which are on the disk when this returns."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._file.open("ab+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 1))
            if stream.read(1) not in (b"", b"\n"):
                stream.seek(0)
                stream.truncate(stream.read().rfind(b"\n") + 1)
            stream.write(lines.encode())
            stream.flush()
            os.fsync(stream.fileno())


def open_journal(file: Path) -> JournalStorage:
    """Open a journal, or begin it; raises RunDirectoryError where it is none."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return JournalStorage(Journal(file))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise RunDirectoryError(
            f"{file}: no journal of a search to read: {error!r}. It is kept as it is; move it away "
            "to begin the search anew, with the runs that there are"
        ) from None


def read_trials(plan: Plan, folder: Path) -> list[Trial]:
    """All trials of a plan's search, in their order; none where it has not begun."""
    file = folder / JOURNAL
    if not file.is_file():
        return []
    try:
        study = optuna.load_study(study_name=study_name(plan), storage=open_journal(file))
    except KeyError:
        return []
    return [_trial(trial, search_settings(plan)) for trial in study.get_trials(deepcopy=False)]


def search_settings(plan: Plan) -> SearchSettings:
    """What the plan says of its search."""
    assert plan.settings.search is not None
    return plan.settings.search


def study_name(plan: Plan) -> str:
    """Twelve hexadecimal digits that stand for what makes the trials of a search comparable.

    `count` may grow and `prune` may change, and the search goes on; any other change begins another
    one in the same journal.
    """
    asked = search_settings(plan).model_dump(mode="json", exclude={"count", "prune"})
    base = plan.base.changed(seed=plan.settings.seeds[0])
    text = json.dumps([asked, settings_id(base)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def importances(
    search: SearchSettings, figures: Sequence[tuple[dict[str, Any], float]]
) -> dict[str, float]:
    """How much each setting has to do with being in the best tenth; all of them together are 1.

    PED-ANOVA (Watanabe et al. 2023). figures: settings of trials, and their outcomes.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, space = optuna.create_study(direction=direction(search)), distributions(search)
    for change, value in figures:
        study.add_trial(optuna.create_trial(params=change, distributions=space, value=value))
    with warnings.catch_warnings():
        # That it is experimental, in Optuna 4, and where there are few trials.
        warnings.simplefilter("ignore")
        return optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.PedAnovaImportanceEvaluator(),
            params=list(space),
        )


def direction(search: SearchSettings) -> Literal["minimize", "maximize"]:
    """What is done with the outcome."""
    return "minimize" if OUTCOMES[search.outcome].better == "lower" else "maximize"


def distributions(search: SearchSettings) -> dict[str, BaseDistribution]:
    """Ranges, as Optuna knows them."""
    return {name: _distribution(span) for name, span in search.settings.items()}


def _distribution(span: Range) -> BaseDistribution:
    if span.choices:
        return CategoricalDistribution(span.choices)
    low, high = span.bounds
    if span.whole:
        return IntDistribution(int(low), int(high), log=span.log)
    return FloatDistribution(low, high, log=span.log)


def _trial(frozen: FrozenTrial, search: SearchSettings) -> Trial:
    change = {name: frozen.params[name] for name in search.settings if name in frozen.params}
    reason = frozen.user_attrs.get(REFUSED, "")
    state: Literal["open", "ended", "refused", "cut off"]
    if len(change) < len(search.settings):
        state = "cut off"
    elif reason:
        state = "refused"
    else:
        state = "open" if frozen.state == TrialState.RUNNING else "ended"
    return Trial(frozen.number, change, state, reason)
