"""Keeps a run directory up to date while training goes on; `rnnlab.runs.run` says what is in it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rnnlab.config import CONTEXTS
from rnnlab.data.streaming_limits import ProgressCallback
from rnnlab.errors import DivergenceError
from rnnlab.files import appending, flushed_size, remove_leftovers, write_atomically, write_json
from rnnlab.lm.baselines import estimated_seconds
from rnnlab.lm.cell_file import write_cell
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.moments import evaluation_cost
from rnnlab.lm.ngram_joining import CountedNGrams
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Milestone, Step
from rnnlab.lm.training_state import take_state
from rnnlab.runs.ancestry import ORIGIN, forgetting, origin_of
from rnnlab.runs.checkpoints import Checkpoints
from rnnlab.runs.checksums import FILES, checksums
from rnnlab.runs.curves import save_curves
from rnnlab.runs.environment import environment
from rnnlab.runs.evaluation import dataset_baselines, evaluate_splits
from rnnlab.runs.files import ENVIRONMENT, RESULT, RUN_CONFIG, SAMPLES
from rnnlab.runs.held_out_scores import QUANTILES, held_out_quantiles
from rnnlab.runs.identity import identify
from rnnlab.runs.metrics import MetricsLog
from rnnlab.runs.preparation import Prepared
from rnnlab.runs.state_saver import StateFacts, StateSaver, Tensors
from rnnlab.runs.watcher import Line

RESULT_FORMAT = 1


class RunWriter:
    """Writes what training produces. `runs.resume` restores it from a training state."""

    def __init__(self, directory: Path, ready: Prepared, tell: Callable[[Line], None]) -> None:
        """`tell` is called with every line of metrics.jsonl after it has been written."""
        self.directory = directory
        self.settings, self.dataset = ready.settings, ready.dataset
        self.model, self.trainer, self.ngrams = ready.model, ready.trainer, ready.ngrams
        self.log = MetricsLog(directory, ready.dataset, ready.settings.training, tell)
        self.checkpoints = Checkpoints(directory, ready.model)
        self.states = StateSaver(directory, ready.settings.machine.checkpoint_seconds)
        self.identity = identify(ready.settings, ready.dataset, environment())
        self._files: dict[str, str] = {}
        """SHA-256 of the files that belong to the result."""
        self._quantiles: list[float] | None = None
        self._base = ready.base
        start_from = ready.settings.training.start_from
        self._origin = origin_of(start_from, ready.base) if ready.base else {}
        self.resumed_at: list[int] = []
        """Steps from which training was resumed."""
        self.bits_may_differ: list[str] = []
        """Why the bits may differ from those of an uninterrupted run, a line per resume."""

    def begin(self) -> None:
        """Write what is known before the first step, and a state to resume from."""
        self.write_settings()
        self.states.make_folder()
        self.save_state()
        # A budget in seconds counts what is not training.
        self.trainer.elapsed = self.states.costs.state_seconds
        if self.ngrams:
            self.trainer.elapsed += self.ngrams.seconds + self.ngrams.seconds_to_join

    def write_settings(self) -> None:
        """Write the settings and the environment; remove the leftovers of killed processes."""
        for folder in (self.directory, *(self.directory / "checkpoint").glob("*/")):
            remove_leftovers(folder)
        write_cell(self.directory, self.settings.model.cell)
        write_atomically(self.directory / RUN_CONFIG, self.settings.to_toml().encode())
        write_json(self.directory / ENVIRONMENT, self.identity.environment)

    def save_state(self) -> None:
        """Save a training state, from which the run can be resumed here."""
        self.states.save(self._take_state, self.trainer.step)

    def _take_state(self) -> tuple[Tensors, StateFacts]:
        tensors, facts = take_state(self.trainer)
        return tensors | self.checkpoints.tensors(), StateFacts(
            about=self.identity,
            trainer=facts,
            log=self.log.facts(),
            samples_bytes=flushed_size(self.directory / SAMPLES),
            resumed_at=self.resumed_at,
            bits_may_differ=self.bits_may_differ,
            saving=self.states.costs,
        )

    def step(self, event: Step) -> None:
        """Count a step; log a line if one is due."""
        self.log.step(event)

    def milestone(self, event: Milestone) -> tuple[float | None, str]:
        """Save the weights, log the evaluation, write a sample.

        At an early evaluation the best weights are only kept in memory, and no sample is written.
        Returns the held-out bits per character, None without held-out text, and the sample.
        """
        if event.is_best:
            self.checkpoints.keep_best()
        if not event.is_early:
            self.checkpoints.save()
        self.log.held_out(event)
        sample = "" if event.is_early else self._write_sample(event.step)
        return self.log.bits_per_character(event), sample

    def _write_sample(self, step: int) -> str:
        training = self.settings.training
        if not training.sample_length:
            return ""
        try:
            sample = self.model.generate(
                training.sample_prefix,
                length=training.sample_length,
                temperature=training.sample_temperature,
            )
        except DivergenceError:  # the trainer will raise it in its next step, with advice
            return ""
        with appending(self.directory / SAMPLES) as file:
            file.write(f"--- step {step}\n{sample}\n")
        return sample

    def close(self) -> None:
        """Save the last weights, and the summary of training in result.json.

        The n-gram model joins the network now, unless SIGTERM has ended training.
        """
        self.log.close()
        self.checkpoints.save()
        if self.ngrams and self.trainer.stop_reason != "SIGTERM":
            self._join(self.ngrams)
        self._files = checksums(self.directory)
        self._write_result()

    def _join(self, ngrams: CountedNGrams) -> None:
        for which in ("last", "best"):
            if (folder := self.checkpoints.folder(which)).is_dir():
                model = TextModel.load(folder, machine=self.settings.machine)
                model.mixture = ngrams.join(model.model, model.compute)
                model.save(folder)

    def seconds_to_finish(self) -> float:
        """Estimate how long the final evaluations take, from the speed of training."""
        batch_size, held_out = self.settings.data.batch_size, self.dataset.held_out
        share = self.model.model.recurrent_share
        cost = sum(
            evaluation_cost(len(self.dataset.splits[name].ids) - 1, context, batch_size, share)
            for name in held_out
            for context in {*map(self.dataset.read_as, CONTEXTS)}
        )
        if self.ngrams:
            cost *= 2  # both together, and the network alone
        learned = len(self.dataset.splits["train"].end) if held_out else 0
        return cost * self.trainer.seconds_per_token + estimated_seconds(learned)

    def finish(self, watch: ProgressCallback | None) -> TextModel:
        """Evaluate the best weights, complete result.json, draw the curves; return the model.

        watch: is told the progress of the evaluations; None: leave them out.
        """
        chosen = self.checkpoints.chosen
        model = TextModel.load(self.directory, chosen, self.settings.machine)
        asked = model.compute
        model.compute = asked.with_threads(self.trainer.pace.threads)  # as many as were fast
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
            self._quantiles = self._held_out_quantiles(model)
            if self._base:
                self._origin |= forgetting(self._base, model)
        self._write_result(records)
        save_curves(self.directory)
        # An evaluation that Ctrl-C cut off is left for a resume.
        self._write_result(records, complete=not self.trainer.evaluation_is_due)
        model.compute = asked
        return model

    def _held_out_quantiles(self, model: TextModel) -> list[float] | None:
        """Return how likely the held-out samples are, if the text consists of samples."""
        dataset = self.dataset
        if dataset.samples is None or not dataset.held_out:
            return None
        return held_out_quantiles(model, dataset.splits[dataset.held_out[-1]].text)

    def diverged(self) -> str:
        """Write result.json for a run that diverged; say which checkpoint is left."""
        self.log.close()
        self.trainer.stop("divergence")
        self.checkpoints.save_best()
        self._files = checksums(self.directory)
        self._write_result()
        kept = self.checkpoints.folder(self.checkpoints.chosen)
        if kept.is_dir():
            return f"The last good checkpoint is kept: {kept}"
        return "No checkpoint had been saved yet"

    def _write_result(self, records: Sequence[Evaluation] = (), *, complete: bool = False) -> None:
        result = {
            "format": RESULT_FORMAT,
            "complete": complete,
            "training": {
                **self.trainer.summary(),
                **self.settings.machine.model_dump(),
                **self.states.costs.model_dump(),
                "resumed_at": self.resumed_at,
                "bits_may_differ": self.bits_may_differ,
            },
            "model": {"parameters": self.model.model.num_parameters()},
            "data": {
                "vocabulary": self.dataset.tokenizer.size,
                "tokens": {name: len(part.all_ids) for name, part in self.dataset.splits.items()},
                "samples": asdict(self.dataset.samples) if self.dataset.samples else None,
                "copies": {name: found.to_dict() for name, found in self.dataset.copies.items()},
            },
            "evaluations": [record.to_dict() for record in records],
            **({QUANTILES: self._quantiles} if self._quantiles else {}),
            **({ORIGIN: self._origin} if self._origin else {}),
            FILES: self._files,
        }
        write_json(self.directory / RESULT, result)
