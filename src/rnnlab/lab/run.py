"""One run = one directory.

config.toml      all settings, resolved: running it again gives the same run
environment.json versions, commit, processor, threads
metrics.jsonl    one line a log step (kind "train") and one a held-out evaluation ("held-out")
checkpoint/      model folders: best (on the validation split) and last
samples.txt      what the model wrote after each evaluation
result.json      training summary, final evaluations beside their baselines
curves.svg       the learning curves
"""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from rnnlab.config import DEFAULT_SECONDS, Settings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.engines import choose_engine
from rnnlab.errors import RunDirectoryError, UsageError
from rnnlab.lab.curves import draw_curves, save_curves
from rnnlab.lab.display import Display
from rnnlab.lab.environment import environment
from rnnlab.lab.evaluation import evaluate_held_out
from rnnlab.lab.metrics import MetricsLog, read_metrics
from rnnlab.lm.checkpoint import save_weights, write_atomically, write_json
from rnnlab.lm.evaluate import total_nats
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.optimizers import peak_learning_rate
from rnnlab.lm.precision import set_up
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Milestone, Step, Trainer

RESULT_FORMAT = 1


@dataclass
class Run:
    """A run directory, and the model in it."""

    directory: Path

    @classmethod
    def open(cls, directory: str | Path) -> "Run":
        """Open a run directory; raises UsageError where `directory` is none."""
        path = Path(directory)
        if not (path / "config.toml").is_file():
            raise UsageError(f"{path} is no run directory: it has no config.toml")
        return cls(path)

    @property
    def settings(self) -> Settings:
        """What was asked for, resolved."""
        return Settings.from_toml(self.directory / "config.toml")

    @property
    def result(self) -> dict[str, Any]:
        """Content of result.json; raises RunDirectoryError while training has not ended."""
        file = self.directory / "result.json"
        try:
            return dict(json.loads(file.read_bytes()))
        except (OSError, ValueError) as error:
            raise RunDirectoryError(f"{file}: no result to read: {error}") from None

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Lines of metrics.jsonl."""
        return read_metrics(self.directory)

    @cached_property
    def model(self) -> TextModel:
        """The best checkpoint, or the last where nothing was held out."""
        return TextModel.load(self.directory)

    def generate(self, prefix: str | Sequence[str] = "", **settings: Any) -> Any:
        """See `TextModel.generate`."""
        return self.model.generate(prefix, **settings)

    def __repr__(self) -> str:
        """Directory, training perplexity, held-out figures."""
        lines = [f"Run({str(self.directory)!r})"]
        with suppress(RunDirectoryError):
            result = self.result
            lines.append(f"  training perplexity {result['training']['perplexity']:.3f}")
            lines += [
                f"  {record['split']}, {record['context']}: "
                f"{record['bits_per_character']:.3f} bits/character"
                for record in result["evaluations"]
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Show the learning curves in a notebook."""
        return f"<pre>{self!r}</pre>{draw_curves(self.directory)}"


def train(
    settings: Settings, directory: str | Path | None = None, display: Display | None = None
) -> Run:
    """Train as `settings` say and leave a complete run directory.

    Raises UsageError, CorpusError, UnavailableError or RunDirectoryError before anything is
    trained; DivergenceError with the last good checkpoint kept. A first Ctrl-C or SIGTERM ends
    training after the current step, and all that follows training is still done.
    """
    display = display or Display(quiet=True)
    if directory is not None:
        check_new(Path(directory))
    device = set_up(settings.machine)
    engine, why = choose_engine(settings.machine.engine, settings.model.cell, device)
    dataset = load_dataset(settings.data)
    batches = dataset.batches(settings.data)
    settings = resolve(settings, dataset, engine.name, device)
    torch.manual_seed(settings.training.seed)
    model = LanguageModel(settings.model, dataset.tokenizer.size).to(device)
    about = {"data": settings.data.model_dump(mode="json"), "corpus_sha256": dataset.corpus.sha256}
    text_model = TextModel(
        model, dataset.tokenizer, settings.data.preprocessing, engine,
        settings.machine.precision, about,
    )  # fmt: skip
    trainer = Trainer(
        model, engine, batches, settings.training,
        precision=settings.machine.precision,
        evaluate=_validation(text_model, dataset, settings),
    )  # fmt: skip
    run = Run(make_directory(directory, settings))
    writer = RunWriter(run.directory, text_model, dataset, settings)
    display.begin(dataset, text_model, settings, why, run.directory)
    with stopping_on_signals(trainer):
        for event in trainer.run():
            if isinstance(event, Step):
                writer.step(event)
                display.step(event)
            else:
                sample = writer.milestone(event)
                display.milestone(event, writer.log.bits_per_character(event), sample)
    display.end_of_training()
    run.model = writer.finish(trainer)
    display.end(run.result, run.metrics, run.directory)
    return run


def resolve(settings: Settings, dataset: Dataset, engine: str, device: torch.device) -> Settings:
    """Replace every `auto` and every 0 that stands for a default by what it came to."""
    training = settings.training
    corpus = settings.data.corpus
    if corpus == ("auto",):
        corpus = (dataset.corpus.name,)
    no_budget = not (training.num_epochs or training.max_tokens or training.max_seconds)
    return settings.changed(
        corpus=tuple(str(Path(c).resolve()) if Path(c).is_file() else c for c in corpus),
        data_dir=str(Path(settings.data.data_dir).resolve()) if settings.data.data_dir else "",
        learning_rate=peak_learning_rate(training),
        max_seconds=DEFAULT_SECONDS if no_budget else training.max_seconds,
        engine=engine,
        device=device.type,
        threads=torch.get_num_threads(),
    )


def check_new(directory: Path) -> None:
    """Raise UsageError where something is there already."""
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UsageError(
            f"run directory {str(directory)!r} exists and is not empty; give another --run-dir, "
            "or delete it first"
        )


def make_directory(directory: str | Path | None, settings: Settings) -> Path:
    """Make the run directory, or a numbered one under runs/ where none is named."""
    if directory is None:
        model, corpus = settings.model, Path(settings.data.corpus[0]).stem
        stem = f"{corpus}-{model.cell}{model.hidden_size}"
        taken = (Path("runs") / f"{stem}-{number:03d}" for number in range(1, 10**6))
        path = next(path for path in taken if not path.exists())
    else:
        path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / "samples.txt").touch()
    except OSError as error:
        raise RunDirectoryError(
            f"run directory {str(path)!r} cannot be written: {error.strerror}; "
            "give another --run-dir"
        ) from None
    return path


def _validation(
    model: TextModel, dataset: Dataset, settings: Settings
) -> Callable[[], float] | None:
    if "validation" not in dataset.splits:
        return None
    ids, context = dataset.splits["validation"].ids, settings.training.validation_context

    def nats_per_token() -> float:
        total = total_nats(model.model, model.engine, ids, context, model.precision)
        return total / (len(ids) - 1)

    return nats_per_token


@dataclass
class RunWriter:
    """Keeps a run directory up to date while training goes on."""

    directory: Path
    model: TextModel
    dataset: Dataset
    settings: Settings
    has_best: bool = False
    log: MetricsLog = field(init=False)

    def __post_init__(self) -> None:
        """Write what is known before the first step."""
        write_atomically(self.directory / "config.toml", self.settings.to_toml().encode())
        write_json(self.directory / "environment.json", environment())
        self.log = MetricsLog(self.directory, self.dataset, self.settings.training)

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
        sample = str(
            self.model.generate(
                training.sample_prefix, length=training.sample_length, temperature=0
            )
        )
        with (self.directory / "samples.txt").open("a", encoding="utf-8") as file:
            file.write(f"--- step {event.step}\n{sample}\n")
        return sample

    def finish(self, trainer: Trainer) -> TextModel:
        """Save the last weights, evaluate the best ones, write result.json and the curves."""
        self.log.close()
        self._save("last")
        result = {
            "format": RESULT_FORMAT,
            "training": trainer.summary()
            | self.settings.machine.model_dump(
                include={"engine", "precision", "device", "threads"}
            ),
            "model": {"parameters": self.model.model.num_parameters()},
            "evaluations": [],
        }
        write_json(self.directory / "result.json", result)  # nothing is lost if evaluation is
        chosen = "best" if self.has_best else "last"
        model = TextModel.load(self.directory, chosen, self.settings.machine)
        records = evaluate_held_out(model, self.dataset, chosen)
        result["evaluations"] = [record.to_dict() for record in records]
        write_json(self.directory / "result.json", result)
        save_curves(self.directory)
        return model

    def _save(self, which: str) -> None:
        folder = self.directory / "checkpoint" / which
        if folder.is_dir():
            save_weights(folder, self.model.model)
        else:
            self.model.save(folder)


@contextmanager
def stopping_on_signals(trainer: Trainer) -> Iterator[None]:
    """Let a first Ctrl-C or SIGTERM end training cleanly; a second one acts as it always does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for sign, handler in previous.items():
            signal.signal(sign, handler)

    def stop(number: int, frame: FrameType | None) -> None:
        trainer.stop(signal.Signals(number).name)
        restore()

    for sign in previous:
        signal.signal(sign, stop)
    try:
        yield
    finally:
        restore()
