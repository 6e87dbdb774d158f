"""Read and check what a run logged."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab.config import Settings
from rnnlab.errors import RunDirectoryError
from rnnlab.files import read_json
from rnnlab.lm.train import NO_NEW_BEST
from rnnlab.runs.checksums import check_belongs, has_changed, known
from rnnlab.runs.files import METRICS, RESULT, RUN_CONFIG, read_metrics


@dataclass(frozen=True)
class TrainLine:
    """One logged line of training: means over the steps since the previous line."""

    step: int
    steps: int
    """Number of these steps; a larger budget logs more steps per line."""
    epoch: int
    progress: float
    """Share of the budget used."""
    nats_per_token: float
    """NaN if the loss was NaN or infinite."""
    gradient_norm: float
    clipped_share: float


@dataclass(frozen=True)
class HeldOutLine:
    """One evaluation on the validation split."""

    step: int
    nats_per_token: float


@dataclass(frozen=True)
class Reached:
    """The network's final evaluation on the validation split, or the test split without one."""

    split: str
    bits_per_character: float
    ngram_bits_per_character: float
    unigram_bits_per_character: float = math.inf


@dataclass(frozen=True)
class History:
    """Settings, curves and end of a run."""

    settings: Settings
    training: tuple[TrainLine, ...]
    held_out: tuple[HeldOutLine, ...]
    stopped_by: str = ""
    """Empty without result.json: the run is still going or was killed."""
    vocabulary_size: int | None = None
    """None without result.json."""
    train_tokens: int | None = None
    """Length of the training split; None without result.json."""
    reached: Reached | None = None
    """None before the final evaluations, or if nothing was held out."""
    notices: tuple[str, ...] = ()
    """What is not known about the files of the run."""

    @property
    def so_far(self) -> str:
        """What to say after a count of a run that may still be going."""
        return "" if self.stopped_by else " so far"

    @property
    def ended_by_patience(self) -> bool:
        """Whether `--patience` ended the run."""
        return self.stopped_by.startswith(NO_NEW_BEST)

    @property
    def steps(self) -> int:
        """Updates made."""
        return self.training[-1].step if self.training else 0

    @property
    def epochs(self) -> int:
        """Complete passes over the training split."""
        return self.training[-1].epoch if self.training else 0

    @property
    def progress(self) -> float:
        """Share of the budget used."""
        return self.training[-1].progress if self.training else 0.0

    def part(self, start: float, end: float) -> tuple[TrainLine, ...]:
        """Return the lines that end between two shares of all steps, at least one line."""
        first, last = start * self.steps, end * self.steps
        found = tuple(line for line in self.training if first < line.step <= last)
        return found or tuple(line for line in self.training if line.step > first)[:1]

    def nats_near(self, step: int) -> float:
        """Return training nats per token at a step: the mean of the three nearest lines."""
        places = range(len(self.training))
        nearest = min(places, key=lambda place: abs(self.training[place].step - step))
        return mean_nats(self.training[max(0, nearest - 1) : nearest + 2])


def mean_nats(lines: Sequence[TrainLine]) -> float:
    """Return the mean training nats per token over the steps of some lines."""
    return _mean(lines, lambda line: line.nats_per_token)


def mean_clipped_share(lines: Sequence[TrainLine]) -> float:
    """Return the share of steps in some lines whose gradient was clipped."""
    return _mean(lines, lambda line: line.clipped_share)


def _mean(lines: Sequence[TrainLine], value: Callable[[TrainLine], float]) -> float:
    steps = sum(line.steps for line in lines)
    return sum(value(line) * line.steps for line in lines) / steps


def read_history(directory: Path, settings: Settings) -> History:
    """Read what a run has logged so far; it may be running, finished, interrupted or killed.

    Raises RunDirectoryError, which names the file and what is wrong with it.
    """
    lines = read_metrics(directory)
    file = directory / METRICS
    training = list[TrainLine]()
    for n, line in _numbered(lines, "train"):
        before = training[-1].step if training else 0
        training.append(_train_line(line, before, f"{file}: line {n}"))
    held_out = [_held_out_line(line, file, n) for n, line in _numbered(lines, "held-out")]
    history = History(settings, tuple(training), tuple(held_out))
    if not (directory / RESULT).is_file():
        return history
    result = read_json(directory / RESULT)
    notices = _notices(directory, result)
    try:
        steps, logged = result["training"]["steps"], training[-1].step if training else 0
        if steps != logged:
            raise RunDirectoryError(
                f"{file} ends at step {logged:,}, {RESULT} says {steps:,}: it belongs to another "
                "run, or lines are missing"
            )
        check_belongs(directory, METRICS, result)
        return History(
            settings,
            tuple(training),
            tuple(held_out),
            str(result["training"]["stopped_by"]),
            int(result["data"]["vocabulary"]),
            int(result["data"]["tokens"]["train"]),
            _reached(result["evaluations"]),
            notices,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(f"{directory / RESULT}: damaged, not what a run writes") from error


def _notices(directory: Path, result: Mapping[str, Any]) -> tuple[str, ...]:
    if not known(result):
        return (
            f"{RESULT} has no checksums, as an earlier version of rnnlab wrote it: whether all "
            "files belong to one run is not known",
        )
    if has_changed(directory, RUN_CONFIG, result):
        return (f"{RUN_CONFIG} was changed since; the run is judged by what it says now",)
    return ()


def _reached(evaluations: Sequence[Mapping[str, Any]]) -> Reached | None:
    for split in ("validation", "test"):
        for record in evaluations:
            if record["split"] == split and "ngram" in record["baselines"]:
                ngram = float(record["baselines"]["ngram"]["bits_per_character"])
                # An n-gram model that joins the network may hide how little the network knows.
                network = record.get("parts", {}).get("network", record)
                bits = float(network["bits_per_character"] or math.inf)
                unigram = record["baselines"].get("unigram", {"bits_per_character": math.inf})
                return Reached(split, bits, ngram, float(unigram["bits_per_character"]))
    return None


def _numbered(lines: Sequence[dict[str, Any]], kind: str) -> list[tuple[int, dict[str, Any]]]:
    return [(n, line) for n, line in enumerate(lines, start=1) if line.get("kind") == kind]


def _train_line(line: dict[str, Any], before: int, where: str) -> TrainLine:
    step = int(_number(line, "step", where))
    if step <= before:
        raise RunDirectoryError(f"{where}: damaged, step {step} follows step {before}")
    return TrainLine(
        step,
        step - before,
        int(_number(line, "epoch", where)),
        _number(line, "progress", where),
        _number(line, "nats_per_token", where, or_null=True),
        _number(line, "gradient_norm", where, or_null=True),
        _number(line, "clipped_share", where),
    )


def _held_out_line(line: dict[str, Any], file: Path, number: int) -> HeldOutLine:
    where = f"{file}: line {number}"
    nats = _number(line, "nats_per_token", where, or_null=True)
    return HeldOutLine(int(_number(line, "step", where)), nats)


def _number(line: dict[str, Any], name: str, where: str, *, or_null: bool = False) -> float:
    """Return a finite number, or NaN for null, which stands for NaN and infinity."""
    value = line.get(name)
    if value is None and or_null and name in line:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RunDirectoryError(f"{where}: damaged, {name} must be a number, not {value!r}")
    return value
