"""What a worker is told of the run that it is to make."""

from dataclasses import dataclass
from pathlib import Path

from rnnlab.config import Settings
from rnnlab.execution.corpora import located
from rnnlab.experiments.plan import Plan, PlannedRun


@dataclass(frozen=True)
class TrialLink:
    """The trial of a search that a run belongs to; see `rnnlab.experiments.optuna_study`."""

    journal: Path
    study: str
    number: int


@dataclass(frozen=True)
class Job:
    """One run to be made; plain data, so that it can cross to another machine."""

    id: str
    name: str
    """For people: variant and seed."""
    settings: Settings
    phrases: tuple[str, ...] = ()
    phrase_length: int = 100
    gradient_flow: bool = False
    trial: TrialLink | None = None
    """Where the run tells how it gets on, and is told whether it is hopeless."""

    @classmethod
    def of(cls, run: PlannedRun, plan: Plan, threads: int) -> "Job":
        """The job of a planned run; `threads` where the settings name none."""
        settings = located(run.settings, plan.origin)
        if not settings.machine.threads:
            settings = settings.changed(threads=threads)
        asked = plan.settings
        return cls(
            run.id, f"{run.variant}, seed {run.seed}", settings,
            asked.phrases, asked.phrase_length, asked.gradient_flow,
        )  # fmt: skip
