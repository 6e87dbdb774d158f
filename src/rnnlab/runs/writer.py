"""Keeps a run directory up to date while training goes on; `rnnlab.runs.run` says what is in it."""

import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnnlab.config import CONTEXTS, Settings
from rnnlab.data.dataset import Dataset
from rnnlab.data.streaming import ProgressCallback
from rnnlab.errors import (
    DivergenceError,
    RunDirectoryError,
    RunEndedError,
)
from rnnlab.files import (
    appending,
    cut_off,
    flushed_size,
    is_special,
    remove_leftovers,
    write_atomically,
    write_json,
)
from rnnlab.lm.checkpoint import save_weights
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import NO_NEW_BEST, Milestone, Step, Trainer
from rnnlab.lm.training_state import put_state, take_state
from rnnlab.runs.curves import save_curves
from rnnlab.runs.environment import environment
from rnnlab.runs.evaluation import dataset_baselines, evaluate_splits
from rnnlab.runs.files import (
    CURVES,
    ENVIRONMENT,
    METRICS,
    RESULT,
    RUN_CONFIG,
    SAMPLES,
    read_json,
    read_metrics,
    state_files,
)
from rnnlab.runs.metrics import MetricsLog
from rnnlab.runs.mirrors import Mirrors
from rnnlab.runs.resume import about, bits_may_differ, check_same_run, foreign_state
from rnnlab.runs.saved_state import Facts, SavedState, SavedStates, Tensors
from rnnlab.runs.state_facts import check_facts

RESULT_FORMAT = 1

MOVE_AWAY = "; move it away to go on without it"
"""What to do about a damaged log."""

BEST = "best."
"""What the names of a state's tensors begin with that are `RunWriter.best`."""


@dataclass
class RunWriter:
    """Writes what training hands out."""

    directory: Path
    model: TextModel
    dataset: Dataset
    settings: Settings
    mirrors: Mirrors
    best: Tensors = field(default_factory=dict)
    """Weights of the best evaluation so far; empty before the first."""
    resumed_at: list[int] = field(default_factory=list)
    """Steps from which training went on."""
    bits_may_differ: list[str] = field(default_factory=list)
    """Why the bits may differ from those of a run never interrupted, a line a resume."""
    _written: set[str] = field(default_factory=set)
    """Model folders that this process has written."""
    log: MetricsLog = field(init=False)
    states: SavedStates = field(init=False)
    about: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Find out what is known before the first step."""
        self.log = MetricsLog(
            self.directory, self.dataset, self.settings.training, self.mirrors.line
        )
        self.states = SavedStates(self.directory, self.settings.machine.checkpoint_seconds)
        self.about = about(self.settings, self.dataset, environment())

    def begin(self, trainer: Trainer) -> None:
        """Write what is known before the first step, and a state to go on from."""
        self._write_settings()
        self.states.begin()
        self.save_state(trainer)

    def go_on(self, trainer: Trainer, state: SavedState) -> list[str]:
        """Be where the writer and the trainer of an interrupted run were; cut off what came later.

        Returns what people should know. Raises UsageError and ChecksumError as `check_same_run`
        does, ModelFolderError where the state is of another model or says what no state says,
        RunEndedError where nothing is left to do.
        """
        try:
            return self._go_on(trainer, state)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise foreign_state(self.directory, error) from error

    def _go_on(self, trainer: Trainer, state: SavedState) -> list[str]:
        facts = state.facts
        check_facts(facts)
        self._check_logs()
        check_same_run(facts["about"], self.about, self.directory)
        put_state(trainer, state.tensors, facts["trainer"])
        trainer.update_progress()
        if self._is_complete(trainer.step):
            self._refuse_what_has_ended(trainer)
        self._put_best(state.tensors, trainer)
        has_all = {
            METRICS: self.log.go_on(facts["log"], min(1.0, trainer.progress)),
            SAMPLES: cut_off(self.directory / SAMPLES, facts["samples_bytes"]),
        }
        self.resumed_at = [*facts["resumed_at"], trainer.step]
        differing = bits_may_differ(facts["about"], self.about)
        self.bits_may_differ = [
            *facts["bits_may_differ"],
            *([f"from step {trainer.step:,} on {differing}"] if differing else []),
        ]
        self.states.go_on(facts["saving"])
        for file in state.damaged:
            file.unlink()
        for name in (RESULT, CURVES):  # of an earlier end
            (self.directory / name).unlink(missing_ok=True)
        self._write_settings()
        lost = [
            f"{self.directory / name} is shorter than it was when training was interrupted, so "
            "lines are missing in it"
            for name, there in has_all.items()
            if not there
        ]
        return [*state.notices, *lost, *self.bits_may_differ]

    def _check_logs(self) -> None:
        """Meet damage before work is done that it would be in the way of."""
        if is_special(self.directory / SAMPLES):
            raise RunDirectoryError(f"{self.directory / SAMPLES} is no regular file{MOVE_AWAY}")
        try:
            read_metrics(self.directory)
        except RunDirectoryError as error:
            raise RunDirectoryError(f"{error}{MOVE_AWAY}") from None

    def _put_best(self, tensors: Tensors, trainer: Trainer) -> None:
        """Let checkpoint/best be that of the state, where a later one had been written."""
        found = {n.removeprefix(BEST): t for n, t in tensors.items() if n.startswith(BEST)}
        shapes = {name: p.shape for name, p in trainer.model.named_parameters()}
        wanted = shapes if math.isfinite(trainer.best_nats) else {}
        if {name: tensor.shape for name, tensor in found.items()} != wanted:
            raise ValueError("the best evaluation's weights are not those of this model")
        self.best = found
        folder = self.directory / "checkpoint" / "best"
        if found:
            self._save("best", found)
        elif folder.is_dir():
            shutil.rmtree(folder)

    def _refuse_what_has_ended(self, trainer: Trainer) -> None:
        ended = f"{self.directory} has ended"
        if trainer.progress >= 1:
            raise RunEndedError(
                f"{ended}: its budget of {_budget(self.settings)} is used up; give a larger one "
                "to go on"
            )
        if trainer.is_out_of_patience:
            raise RunEndedError(
                f"{ended}: {NO_NEW_BEST} {trainer.since_best} evaluations; give a larger "
                "--patience to go on, or 0 for no such end"
            )

    def _write_settings(self) -> None:
        """Write what the run is and where it is made, and clear up after killed processes."""
        for folder in (self.directory, *(self.directory / "checkpoint").glob("*/")):
            remove_leftovers(folder)
        write_atomically(self.directory / RUN_CONFIG, self.settings.to_toml().encode())
        write_json(self.directory / ENVIRONMENT, self.about["environment"])

    def save_state(self, trainer: Trainer) -> None:
        """Save all that `go_on` needs; see `rnnlab.runs.saved_state`."""
        self.states.save(lambda: self._take_state(trainer), trainer.step)

    def _take_state(self, trainer: Trainer) -> tuple[Tensors, Facts]:
        tensors, facts = take_state(trainer)
        best = {f"{BEST}{name}": weights for name, weights in self.best.items()}
        return tensors | best, {
            "about": self.about,
            "trainer": facts,
            "log": self.log.state(),
            "samples_bytes": flushed_size(self.directory / SAMPLES),
            "resumed_at": self.resumed_at,
            "bits_may_differ": self.bits_may_differ,
            "saving": self.states.costs(),
        }

    def step(self, event: Step) -> None:
        """Count a step; a line is written where one is due."""
        self.log.step(event)

    def milestone(self, event: Milestone) -> str:
        """Save the weights, log the evaluation, write a sample; returns the sample."""
        self._save("last")
        if event.is_best:
            parameters = self.model.model.named_parameters()
            self.best = {name: p.detach().to("cpu", copy=True) for name, p in parameters}
            self._save("best")
        self.log.held_out(event)
        training = self.settings.training
        if not training.sample_length:
            return ""
        try:
            sample = self.model.generate(
                training.sample_prefix,
                length=training.sample_length,
                temperature=training.sample_temperature,
            )
        except DivergenceError:  # the trainer meets it in its next step, and says what to do
            return ""
        with appending(self.directory / SAMPLES) as file:
            file.write(f"--- step {event.step}\n{sample}\n")
        self.mirrors.sample(event.step, sample)
        return sample

    def close(self, trainer: Trainer) -> None:
        """Save the last weights, and in result.json what training came to."""
        self.log.close()
        self._save("last")
        self._write_result(trainer)

    def finish(self, trainer: Trainer, watch: ProgressCallback | None) -> TextModel:
        """Evaluate the best weights, complete result.json, draw the curves.

        watch: told how far the evaluation is; without it there is none.
        """
        chosen = "best" if self.best else "last"
        model = TextModel.load(self.directory, chosen, self.settings.machine)
        records: list[Evaluation] = []
        if watch:
            records = evaluate_splits(
                model,
                self.dataset,
                self.dataset.held_out,
                CONTEXTS,
                checkpoint=chosen,
                baselines=dataset_baselines(self.dataset),
                watch=watch,
            )
        self._write_result(trainer, records)
        save_curves(self.directory)
        # An evaluation that Ctrl-C cut off is left for a resume.
        self._write_result(trainer, records, complete=not trainer.milestone_is_due)
        return model

    def diverged(self, trainer: Trainer) -> str:
        """Write result.json for a run that ended badly; says which checkpoint is left."""
        self.log.close()
        trainer.stop("divergence")
        self._write_result(trainer)
        kept = self.directory / "checkpoint" / ("best" if self.best else "last")
        if kept.is_dir():
            return f"The last good checkpoint is kept: {kept}"
        return "No checkpoint had been saved yet"

    def unwritable(self, error: OSError, step: int) -> RunDirectoryError:
        """The error for a file that can no longer be written; says what is kept."""
        where = error.filename2 or error.filename or "standard output"  # all others have a name
        stopped = f"training stopped at step {step:,}"
        return RunDirectoryError(f"{where}: {error.strerror or error}; {stopped}. {self.kept()}")

    def kept(self) -> str:
        """Say what training can go on from."""
        if not (states := state_files(self.directory)):
            return "No training state is left"
        return (
            f"The training state of step {int(states[0].stem):,} is kept; go on with rnnlab train "
            f"--resume {self.directory}"
        )

    def _write_result(
        self, trainer: Trainer, records: Sequence[Evaluation] = (), *, complete: bool = False
    ) -> None:
        machine = self.settings.machine.model_dump()
        result = {
            "format": RESULT_FORMAT,
            "complete": complete,
            "training": trainer.summary()
            | machine
            | {
                **self.states.costs(),
                "resumed_at": self.resumed_at,
                "bits_may_differ": self.bits_may_differ,
            },
            "model": {"parameters": self.model.model.num_parameters()},
            "data": {
                "vocabulary": self.dataset.tokenizer.size,
                "tokens": {name: len(part.all_ids) for name, part in self.dataset.splits.items()},
            },
            "evaluations": [record.to_dict() for record in records],
        }
        write_json(self.directory / RESULT, result)

    def _is_complete(self, step: int) -> bool:
        """Whether all that follows training has been done after this step."""
        with suppress(RunDirectoryError, KeyError, TypeError):
            result = read_json(self.directory / RESULT)
            return result["complete"] is True and result["training"]["steps"] == step
        return False

    def _save(self, which: str, weights: Tensors | None = None) -> None:
        folder = self.directory / "checkpoint" / which
        if which in self._written:
            save_weights(folder, weights or dict(self.model.model.named_parameters()))
        else:  # anew, as what an earlier process left may be damaged
            self.model.save(folder, weights)
            self._written.add(which)


def _budget(settings: Settings) -> str:
    training = settings.training
    names = ("num_epochs", "max_tokens", "max_seconds")
    given = ((name, getattr(training, name)) for name in names)
    return " and ".join(f"{name} = {value:g}" for name, value in given if value)
