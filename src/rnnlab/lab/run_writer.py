"""Keeps a run directory up to date while training goes on; `rnnlab.lab.run` says what is in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab.config import CONTEXTS, Settings
from rnnlab.data.dataset import Dataset
from rnnlab.data.files import write_atomically, write_json
from rnnlab.errors import DivergenceError
from rnnlab.lab.curves import save_curves
from rnnlab.lab.environment import environment
from rnnlab.lab.evaluation import dataset_baselines, evaluate_splits
from rnnlab.lab.metrics import MetricsLog
from rnnlab.lab.mirrors import Mirrors
from rnnlab.lm.checkpoint import save_weights
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Milestone, Step, Trainer

RESULT_FORMAT = 1


@dataclass
class RunWriter:
    """Writes what training hands out."""

    directory: Path
    model: TextModel
    dataset: Dataset
    settings: Settings
    mirrors: Mirrors
    has_best: bool = False
    log: MetricsLog = field(init=False)

    def __post_init__(self) -> None:
        """Write what is known before the first step."""
        write_atomically(self.directory / "config.toml", self.settings.to_toml().encode())
        write_json(self.directory / "environment.json", environment())
        self.log = MetricsLog(
            self.directory, self.dataset, self.settings.training, self.mirrors.line
        )

    def step(self, event: Step) -> None:
        """Count a step; a line is written where one is due."""
        self.log.step(event)

    def milestone(self, event: Milestone) -> str:
        """Save the weights, log the evaluation, write a sample; returns the sample."""
        self._save("last")
        if event.is_best:
            self.has_best = True
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
        with (self.directory / "samples.txt").open("a", encoding="utf-8") as file:
            file.write(f"--- step {event.step}\n{sample}\n")
        self.mirrors.sample(event.step, sample)
        return sample

    def finish(self, trainer: Trainer, *, evaluate: bool = True) -> TextModel:
        """Save the last weights, evaluate the best ones, write result.json and the curves."""
        self.log.close()
        self._save("last")
        self._write_result(trainer)  # so that nothing is lost if evaluation is interrupted
        chosen = "best" if self.has_best else "last"
        model = TextModel.load(self.directory, chosen, self.settings.machine)
        if evaluate:
            records = evaluate_splits(
                model,
                self.dataset,
                self.dataset.held_out,
                CONTEXTS,
                checkpoint=chosen,
                baselines=dataset_baselines(self.dataset),
            )
            self._write_result(trainer, records)
        save_curves(self.directory)
        return model

    def diverged(self, trainer: Trainer) -> str:
        """Write result.json for a run that ended badly; says which checkpoint is left."""
        self.log.close()
        trainer.stop("divergence")
        self._write_result(trainer)
        kept = self.directory / "checkpoint" / ("best" if self.has_best else "last")
        if kept.is_dir():
            return f"The last good checkpoint is kept: {kept}"
        return "No checkpoint had been saved yet"

    def _write_result(self, trainer: Trainer, records: Sequence[Evaluation] = ()) -> None:
        machine = self.settings.machine.model_dump()
        result = {
            "format": RESULT_FORMAT,
            "training": trainer.summary() | machine,
            "model": {"parameters": self.model.model.num_parameters()},
            "data": {
                "vocabulary": self.dataset.tokenizer.size,
                "tokens": {name: len(part.all_ids) for name, part in self.dataset.splits.items()},
            },
            "evaluations": [record.to_dict() for record in records],
        }
        write_json(self.directory / "result.json", result)

    def _save(self, which: str) -> None:
        folder = self.directory / "checkpoint" / which
        if folder.is_dir():
            save_weights(folder, self.model.model)
        else:
            self.model.save(folder)
